"""What the code location consists of: a change of the graph must be meant."""

from __future__ import annotations

import dagster as dg

from clinical_assets.language_models.catalogue import load_catalogue
from sensors.automation import build_automation_sensors

DEMO_MODELS = {"demo_mistral", "demo_qwen_thinker", "demo_gemma"}
GPU_MODELS = {"openhermes_mistral_7b", "deepseek_r1_qwen_14b", "medgemma_4b", "openhermes_mistral_7b_q2k"}
SERVER_MODELS = {"openhermes_server"}
ADAPTED = {"demo_mistral", "openhermes_mistral_7b", "medgemma_4b"}
ADAPTED_LABELS = {f"labels/llm_{name}_lora" for name in ADAPTED}
MODEL_LABELS = {f"labels/llm_{name}" for name in DEMO_MODELS | GPU_MODELS | SERVER_MODELS}
ADAPTERS = {f"adapters/labels_{name}{step}" for name in ADAPTED for step in ("", "_evaluation", "_promotion")}
MODELS = {f"models/{name}" for name in DEMO_MODELS}
SCORES = {"summaries/scores"}
SUMMARIES = {
    f"summaries/{name}"
    for name in (
        "verbose_extractive", "compressed_extractive", "verbose_medgemma_4b_qlora", "compressed_llama_3_8b", "verbose_llama_3_1_8b",
        "compressed_llama_3_1_8b",
    )
}  # fmt: skip
LISTERS = {"adapters/entities_llama_3_2_3b", "adapters/entities_biomistral_7b"}
WRITERS = LISTERS | {"adapters/summaries_medgemma_4b_qlora", "adapters/summaries_llama_3_1_8b"}
REFERENCES = {"summaries/references", "summaries/reference_rejects"}
NOTE_VECTORS = {"embeddings/notes"}
ENTITIES = {"entities/mentions", "entities/notes"}
BIOMARKERS = {"entities/biomarkers"}
RELATIONS = {"entities/relations"}
RELATION_MODEL = {"entities/relation_model", "entities/relation_scores"}  # trained when a person asks
ENTITY_GRAPH = {"entities/graph_nodes", "entities/graph_edges"}
PERSON_VECTORS = {f"embeddings/{name}" for name in ("terminology", "code_text", "person_vectors")}
PER_BATCH = {
    "notes/notes", "notes/sections", "notes/rejects", "notes/intakes", "labels/regex", "labels/regex_seed", "notes/note_scope",
} | MODEL_LABELS | ADAPTED_LABELS | SUMMARIES | SCORES | NOTE_VECTORS | ENTITIES | RELATIONS | BIOMARKERS  # fmt: skip
ANNOTATIONS = {"annotations/human_labels", "annotations/rejects", "annotations/adjudicated", "annotations/splits"}
# Evaluating and promoting a risk model is asked for; its cohort, scores and drift follow by themselves.
RISK = {"risk/cohort", "risk/scores", "risk/drift"}
RISK_ON_REQUEST = {"risk/out_of_fold", "risk/evaluation", "risk/promoted_model", "report/risk"}
_PREDICTING = load_catalogue().for_task("prediction")
_TUNED = {f"prediction/{entry.adapted_labeller}" for entry in load_catalogue().for_task("prediction", "adapters")}
PREDICTION = {
    *(
        f"prediction/{name}"
        for name in (
            "constants",
            "lasso",
            "elastic_net",
            "random_forest",
            "lightgbm",
            "lightgbm_stacked",
            "comparison",
            "scoring",
        )
    ),
    *(f"prediction/{entry.labeller}" for entry in _PREDICTING),
}
ON_REQUEST = {
    "annotations/review_export",
    *(f"exploration/{t}" for t in ("cleaned_full", "cleaned_text", "cleaning_steps")),
    *RISK_ON_REQUEST,
    "prediction/rows",
    "prediction/chat_export",
    *_TUNED,
}
# The corpora are read, and the model is trained, when asked for; scores and profile follow.
ENTITY_MODEL = {
    *(f"entities/corpus_{t}" for t in ("documents", "mentions", "relations", "rejects")),
    "entities/ner_model",
}
ENTITY_SCORES = {f"entities/{t}" for t in ("corpus_profile", "extraction_scores", "extraction_errors")}
WAREHOUSE = {
    "notes/note_index", "labels/regex_labels", "labels/concept_counts", "ops/batches", "ops/rejects", "ops/study_parameters",
    "notes/latest_progress_notes", "notes/labelling_scope", "labels/manual_labels", "labels/current_labels", "report/figures",
    "labels/model_labels", "report/label_figures", "report/summary_figures", "labels/annotations", "labels/annotator_agreement", *ANNOTATIONS,
    *(f"labels/{t}" for t in (
        "annotation_splits", "evaluation_items", "scope_answers", "evaluation", "evaluation_summary", "label_thresholds",
        "label_reliability", "structured_answers", "agreement", "agreement_overall", "consensus", "review_queue", "label_costs",
    )),
    *(f"summaries/{t}" for t in (
        "summaries", "note_scores", "metrics", "samples", "checklist", "compression_retention", "input_dependence", "controls", "export",
    )),
    *(f"adapters/{t}" for t in ("registry", "scores", "epochs", "test_answers")),
    *(f"cohort/{t}" for t in (
        "concept_sets", "concept_set_codes", "concept_set_shipped", "concept_set_tables", "cohort_rules",
        "concept_set_items", "concept_set_members", "condition_eras", "events", "observation_periods", "cml_index", "transplants",
        "tki_exposures", "treatment_eras", "cml_course", "person_rules", "attrition", "bcr_abl1_evidence", "cml_imatinib",
        "seed_primary_events", "cml_seed_compatible", "cohort_comparison", "populations", "imatinib_sources",
        "rule_has_cml_index", "rule_adult_at_index", "rule_prior_observation", "rule_no_prior_tki", "rule_no_other_tki",
        "rule_no_transplant_before_index", "rule_no_advanced_phase_at_start", "rule_imatinib_started",
    )),
    *(f"outcomes/{t}" for t in (
        "outcome_populations", "person_outcomes", "molecular_milestones", "survival_curves", "survival_at_horizons", "survival_summary",
    )),
    *(f"counts/{t}" for t in ("demographics", "fields", "imatinib_overlaps", "survival", "milestones", "cells", "sums", "withheld")),
    *(f"risk/{t}" for t in (
        "concepts", "events", "windows", "attrition", "pre_index_codes", "charlson", "charlson_codes", "performance", "test_risks",
        "person_scores", "score_drift",
    )),
    *(f"entities/{t}" for t in ("note_mentions", "note_extractions", "concepts")),
    *(f"prediction/{t}" for t in ("results", "comparisons", "predictions", "models", "weights", "scores")),
    *(f"applications/{t}" for t in (
        "patient_lists", "drug_event_counts", "drug_event_pairs", "published_drug_events", "treatment_patterns", "treatment_lines",
        "treatment_sequences", "prevalence_counts", "prevalence", "drug_labels", "drug_label_findings", "monthly_counts", "trend_alarms",
        "trial_problems", "trial_criteria", "trial_matches", "biomarker_mentions", "biomarker_comentions",
    )),
    "report/application_figures",
    *(f"entities/{t}" for t in ("extractor_scores", "extractor_errors")),
    *(f"entities/{t}_mart" for t in ("relations", "graph_nodes", "graph_edges")),
    *(f"published/{t}" for t in (
        "demographics", "ages", "field_counts", "attrition", "imatinib_sources", "imatinib_overlaps", "survival", "follow_up", "milestones",
    )),
    *(f"omop/{t}" for t in (
        "person", "observation_period", "visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement",
        "observation", "death", "care_site", "condition_era", "drug_era", "cdm_source", "concept", "concept_ancestor", "concept_relationship",
        "concept_synonym",
    )),
}  # fmt: skip


def specs(defs):
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_definitions_are_loadable(defs) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_is_what_it_is_meant_to_be(defs) -> None:
    found = specs(defs)
    assert (
        {key for key in found if not key.startswith("landing/")}
        == PER_BATCH
        | WAREHOUSE
        | MODELS
        | ADAPTERS
        | ON_REQUEST
        | WRITERS
        | REFERENCES
        | PERSON_VECTORS
        | RISK
        | PREDICTION
        | RELATION_MODEL
        | ENTITY_GRAPH
        | ENTITY_MODEL
        | ENTITY_SCORES
    )
    assert {key for key, spec in found.items() if spec.partitions_def} == PER_BATCH


def test_every_asset_says_whose_it_is_and_what_it_holds(defs) -> None:
    for key, spec in specs(defs).items():
        assert spec.group_name, key
        assert spec.owners, key
        assert spec.description, key
        assert key.startswith("landing/") or spec.kinds, key
        assert key.startswith("landing/") or "row" in spec.description.lower(), (
            f"{key}: the description gives the grain"
        )


def test_everything_but_sources_and_intake_refreshes_by_condition(defs) -> None:
    conditions = {
        key: spec.automation_condition and spec.automation_condition.get_label() for key, spec in specs(defs).items()
    }
    assert {key for key, label in conditions.items() if label == "follow_code"} == {"labels/regex", "labels/regex_seed"}
    assert {
        key for key, label in conditions.items() if label == "refresh_aggregate"
    } == WAREHOUSE | MODELS | PERSON_VECTORS | RISK | ENTITY_GRAPH
    assert {
        key for key, label in conditions.items() if label == "refresh_on_change"
    } == MODEL_LABELS | SUMMARIES | NOTE_VECTORS | BIOMARKERS
    assert {key for key, label in conditions.items() if label == "what_there_is"} == SCORES | RELATIONS | ENTITIES
    assert {key for key, label in conditions.items() if label == "when_fed"} == PREDICTION | ENTITY_SCORES
    assert {key for key, label in conditions.items() if label == "when_asked"} == {"prediction/rows"}
    assert {key for key, label in conditions.items() if label == "keep_history"} == ADAPTED_LABELS
    assert {key for key, label in conditions.items() if label is None} == {k for k in conditions if k.startswith(("landing/",))} | {
        "notes/notes", "notes/sections", "notes/rejects", "notes/intakes", "notes/note_scope", *ON_REQUEST, *ADAPTERS, *WRITERS, *REFERENCES,
        *RELATION_MODEL, *ENTITY_MODEL,
    } - {"prediction/rows"}  # fmt: skip


def test_the_two_automation_sensors_cover_every_asset_once(defs) -> None:
    graph = defs.resolve_asset_graph()
    covered = [sensor.asset_selection.resolve(graph) for sensor in build_automation_sensors()]
    assert covered[0] | covered[1] >= {key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition}
    assert covered[0] & covered[1] == set()


def test_what_runs_by_itself_is_on_and_gpu_time_is_opt_in(defs) -> None:
    status = {sensor.name: sensor.default_status.value for sensor in defs.sensors}
    assert status == {
        "land_note_batches": "RUNNING",
        "observe_omop_snapshots": "RUNNING",
        "automation_cpu": "RUNNING",
        "automation_gpu": "STOPPED",
        "retrain_adapters": "RUNNING",
        "alert_on_run_failure": "RUNNING",
    }
    assert {schedule.name: schedule.cron_schedule for schedule in defs.schedules} == {
        "check_data_quality_daily": "0 6 * * *"
    }


def test_every_per_batch_asset_has_the_standing_check(defs) -> None:
    keys = defs.resolve_asset_graph().asset_check_keys
    assert {k.asset_key.to_user_string() for k in keys if k.name == "no_partition_left_failed"} == PER_BATCH - {
        "notes/note_scope"
    }


def test_the_warehouse_is_rebuilt_in_a_pool(defs) -> None:
    asset = next(
        a for a in defs.assets if isinstance(a, dg.AssetsDefinition) and dg.AssetKey(["ops", "batches"]) in a.keys
    )
    assert asset.op.pool == "warehouse"


def test_a_build_takes_human_labels_in_before_and_exports_no_text(defs) -> None:
    built = {
        key.to_user_string() for key in defs.resolve_job_def("build_warehouse_job").asset_layer.selected_asset_keys
    }
    assert built == WAREHOUSE
    graph = defs.resolve_asset_graph()
    for table, lake in {
        "manual_labels": "adjudicated",
        "annotation_splits": "splits",
        "annotations": "human_labels",
    }.items():
        assert dg.AssetKey(["annotations", lake]) in graph.get(dg.AssetKey(["labels", table])).parent_keys
    assert (
        dg.AssetKey(["landing", "annotations"]) in graph.get(dg.AssetKey(["annotations", "human_labels"])).parent_keys
    )
    leak = graph.get(dg.AssetCheckKey(dg.AssetKey(["annotations", "splits"]), "no_person_or_text_is_in_two_splits"))
    assert leak.blocking


def test_tables_are_named_as_analysts_type_them(defs) -> None:
    assert specs(defs)["labels/concept_counts"].metadata["dagster/table_name"] == "labels.concept_counts"
