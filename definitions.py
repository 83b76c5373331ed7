"""Assembly only: what the code location `clinical_assets` consists of. Domain code and Dagster parts live elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from clinical_assets.adapters.assets import adapter_keys, build_adapter_assets, recorded_by
from clinical_assets.annotations.assets import LANDED_KEY, REVIEW_EXPORT, build_annotation_assets
from clinical_assets.annotations.checks import NEAR_DUPLICATES_CHECK, build_annotation_checks
from clinical_assets.cohort.assets import build_cohort_assets
from clinical_assets.cohort.omop_landing import cdm_tables
from clinical_assets.embeddings.assets import NOTE_VECTORS_KEY, PERSON_KEYS, build_embedding_assets
from clinical_assets.embeddings.checks import build_embedding_checks
from clinical_assets.entities.applications.assets import build_application_assets
from clinical_assets.entities.applications.checks import build_application_checks
from clinical_assets.entities.assets import (
    ENTITY_KEYS,
    MENTIONS_KEY,
    build_entity_adapters,
    build_entity_assets,
    entity_adapter_key,
)
from clinical_assets.entities.checks import build_entity_checks
from clinical_assets.entities.corpora.assets import (
    CORPUS_KEYS,
    ENTITY_MODEL_KEYS,
    NER_MODEL_KEY,
    build_corpus_assets,
)
from clinical_assets.entities.corpora.checks import build_corpus_checks
from clinical_assets.entities.graph.assets import GRAPH_KEYS, build_graph_assets
from clinical_assets.entities.graph.checks import build_graph_checks
from clinical_assets.entities.relations.assets import RELATION_MODEL_KEYS, RELATIONS_KEY, build_relation_assets
from clinical_assets.entities.relations.checks import build_relation_checks
from clinical_assets.exploration.assets import CLEANING_KEYS, seed_cleaning
from clinical_assets.labels.assets import (
    MODEL_LABELS,
    NOTE_SCOPE,
    build_adapted_label_assets,
    build_demo_model_assets,
    build_model_label_assets,
    build_rule_label_assets,
    label_report_figures,
    model_labels_key,
)
from clinical_assets.labels.checks import (
    INJECTION_CHECK,
    build_evaluation_checks,
    build_injection_checks,
    build_label_checks,
    build_model_label_checks,
)
from clinical_assets.language_models.catalogue import load_catalogue
from clinical_assets.notes.assets import ingest_note_batch
from clinical_assets.notes.checks import build_note_checks
from clinical_assets.prediction.assets import (
    COMPARISON,
    RECORDED,
    SCORING,
    STACKED_KEY,
    build_prediction_assets,
    prediction_keys,
)
from clinical_assets.prediction.checks import build_prediction_checks
from clinical_assets.prediction.export.assets import CHATS, prediction_chats
from clinical_assets.privacy import switch_off_telemetry
from clinical_assets.processor import share_processor
from clinical_assets.risk.assets import RISK_COHORT, RISK_KEYS, build_risk_assets
from clinical_assets.risk.checks import build_risk_checks
from clinical_assets.summaries.assets import build_summary_assets, summary_keys
from clinical_assets.summaries.checks import build_summary_checks
from clinical_assets.summaries.evaluation.assets import SCORES_KEY, build_evaluation_assets
from clinical_assets.summaries.evaluation.checks import build_target_checks
from clinical_assets.summaries.evaluation.scoring import OFFLINE, ScoredTable
from clinical_assets.summaries.written.assets import (
    MODEL_SUMMARIES,
    REFERENCE_KEYS,
    build_reference_assets,
    build_writer_adapters,
    build_written_assets,
    writer_adapter_key,
    written_key,
)
from clinical_assets.summaries.written.stage import written_stages
from resources.dbt import dbt_resource, ensure_manifest
from resources.deployment import DeploymentResource
from resources.gpu import GpuResource
from resources.lake import LakeResource
from resources.landing import LandingResource
from resources.language_models import LanguageModelsResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource
from sensors.alerts import alert_on_run_failure
from sensors.automation import build_automation_sensors, with_automation
from sensors.jobs import build_jobs
from sensors.landing import build_ingest_job, build_landing_sensors
from sensors.quality import build_failed_partition_checks, build_quality_schedule
from sensors.retraining import build_retraining_sensors

__all__ = ["build_defs", "defs"]


def build_defs(
    *, deployment: DeploymentResource | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Return the definitions of this code location.

    Parameters
    ----------
    deployment
        Settings other than those of the environment (tests, tools).
    resources
        Resources that replace the usual ones, by name.
    """
    switch_off_telemetry()
    share_processor()
    # Checks per partition are a preview feature that this project tests (blocking and automation per batch).
    warnings.filterwarnings(
        "ignore", message="Specifying a partitions_def on an AssetCheckSpec", category=dg.PreviewWarning
    )
    warnings.filterwarnings("ignore", message="Function `multi_observable_source_asset`", category=dg.BetaWarning)
    manifest = ensure_manifest()
    deployment = deployment or DeploymentResource()
    catalogue = load_catalogue(deployment.settings().catalogue)
    labelling = catalogue.for_task("labels")
    adapted = catalogue.for_task("adapters", "labels")
    writing = written_stages(catalogue)
    writers = [entry for entry in catalogue.writing("verbose") if "adapters" in entry.tasks and not entry.recipe]
    listers = catalogue.for_task("entities", "adapters")
    model_labels = [
        *(model_labels_key(entry) for entry in labelling),
        *(model_labels_key(entry, adapted=True) for entry in adapted),
    ]
    adapters = [key for entry in adapted for key in adapter_keys(entry)]
    predicting, tuned = catalogue.for_task("prediction"), catalogue.for_task("prediction", "adapters")
    recorded = {dg.AssetKey(["prediction", f"recorded_{name}"]): [COMPARISON] for name in RECORDED}
    recorded[dg.AssetKey(["prediction", "recorded_scores"])] = [SCORING]
    built = [
        *build_cohort_assets(
            manifest,
            behind={
                MODEL_LABELS: model_labels,
                MODEL_SUMMARIES: [written_key(stage) for stage in writing],
                **recorded_by(adapted),
                **recorded,
            },
            note_scope=NOTE_SCOPE,
        ),
        ingest_note_batch,
        *build_annotation_assets(),
        *build_rule_label_assets(),
        *build_demo_model_assets(labelling),
        *build_model_label_assets(labelling),
        *build_adapter_assets(adapted),
        *build_adapted_label_assets(adapted),
        *build_summary_assets(NOTE_SCOPE),
        *build_evaluation_assets(
            NOTE_SCOPE, [*OFFLINE, *(ScoredTable(s.as_stage.table, s.first_table) for s in writing)]
        ),
        seed_cleaning,
        *build_written_assets(writing, NOTE_SCOPE),
        *build_reference_assets(LANDED_KEY),
        *build_writer_adapters(writers),
        *build_embedding_assets(NOTE_SCOPE, cohort=RISK_COHORT),
        *build_entity_assets(NOTE_SCOPE, NER_MODEL_KEY),
        *build_relation_assets(MENTIONS_KEY, CORPUS_KEYS[:3]),
        *build_graph_assets(MENTIONS_KEY, RELATIONS_KEY),
        *build_corpus_assets(),
        *build_entity_adapters(listers, CORPUS_KEYS[:3]),
        *build_risk_assets(vectors=PERSON_KEYS),
        *build_prediction_assets(predicting, tuned),
        prediction_chats,
        label_report_figures,
        *build_application_assets(),
    ]
    assets = dg.map_asset_specs(with_automation, built)
    specs = [spec for asset in assets for spec in ([asset] if isinstance(asset, dg.AssetSpec) else asset.specs)]
    per_batch = sorted(spec.key for spec in specs if spec.partitions_def == NOTE_BATCHES and spec.key != NOTE_SCOPE)
    written = {written_key(stage) for stage in writing}
    landing = sorted(spec.key for spec in specs if spec.key.path[0] == "landing")
    models = sorted(spec.key for spec in specs if spec.key.path[0] == "models")
    predictions = {*prediction_keys(predicting), STACKED_KEY, *prediction_keys(tuned, adapted=True)}
    # With the annotation tables, which are read anew before each build: that costs 2 s, and no build is behind on labels.
    writers_adapters = [writer_adapter_key(entry) for entry in writers]
    by_hand = {*writers_adapters, *REFERENCE_KEYS, REVIEW_EXPORT, *CLEANING_KEYS, *PERSON_KEYS, *RISK_KEYS}
    by_hand |= {*predictions, COMPARISON, SCORING, CHATS, *ENTITY_MODEL_KEYS, *RELATION_MODEL_KEYS, *GRAPH_KEYS}
    by_hand |= {entity_adapter_key(entry) for entry in listers}
    apart = {*per_batch, *landing, *models, *adapters, *by_hand, NOTE_SCOPE}
    warehouse = sorted(spec.key for spec in specs if spec.key not in apart)
    # of what is trained, what this deployment has the machine for
    profile = deployment.settings().profile
    trained_here = [entry for entry in adapted if entry.profile == profile]
    summaries = [*summary_keys(), SCORES_KEY]
    intake = sorted(ingest_note_batch.keys)
    ingest_job = build_ingest_job(intake)
    landed = cdm_tables(json.loads(manifest.read_text(encoding="utf-8")))
    omop_tables = {table.name: table.folder for table in landed}
    return dg.Definitions(
        assets=assets,
        asset_checks=[
            *build_note_checks(),
            *build_label_checks("regex"),
            *build_label_checks("regex_seed"),
            *(check for key in model_labels for check in build_model_label_checks(key.path[-1])),
            *(check for entry in labelling for check in build_injection_checks(entry)),
            *build_evaluation_checks(),
            *build_annotation_checks(),
            *build_summary_checks([stage.as_stage for stage in writing]),
            *build_target_checks(),
            *build_embedding_checks(),
            *build_entity_checks(),
            *build_relation_checks(),
            *build_graph_checks(),
            *build_corpus_checks(),
            *build_risk_checks(),
            *build_prediction_checks(),
            *build_application_checks(),
            *build_failed_partition_checks(per_batch),
        ],
        jobs=[
            ingest_job,
            *build_jobs(
                per_batch=[
                    key
                    for key in per_batch
                    if key not in {*model_labels, *summaries, *written, NOTE_VECTORS_KEY, *ENTITY_KEYS, RELATIONS_KEY}
                ],
                intake=intake,
                landing=landing,
                warehouse=warehouse,
                models=models,
                model_labels=[
                    *(model_labels_key(entry) for entry in labelling if entry.profile == "demo"),
                    *(model_labels_key(entry, adapted=True) for entry in adapted if entry.profile == "demo"),
                ],
                adapters=[key for entry in trained_here for key in adapter_keys(entry)],
                summaries=summaries,
                note_vectors=NOTE_VECTORS_KEY,
                entities=ENTITY_KEYS,
                relations=RELATIONS_KEY,
                relation_model=RELATION_MODEL_KEYS,
                entity_graph=GRAPH_KEYS,
                person_vectors=PERSON_KEYS,
                risk=[*PERSON_KEYS, *RISK_KEYS],
                predictions=prediction_keys([entry for entry in predicting if entry.profile == profile]),
                prediction_adapters=prediction_keys(
                    [entry for entry in tuned if entry.profile == profile], adapted=True
                ),
                stacked=STACKED_KEY,
                comparison=[COMPARISON, SCORING],
                on_demand=[dg.AssetCheckKey(model_labels_key(entry), INJECTION_CHECK) for entry in labelling],
                annotations=[key for key in warehouse if key.path[0] == "annotations"],
                review_export=REVIEW_EXPORT,
                exploration=CLEANING_KEYS,
                entity_model=ENTITY_MODEL_KEYS,
                daily=[NEAR_DUPLICATES_CHECK],
            ),
        ],
        schedules=[build_quality_schedule(per_batch, [NEAR_DUPLICATES_CHECK])],
        sensors=[
            *build_landing_sensors(ingest_job, omop_tables),
            *build_automation_sensors(),
            *build_retraining_sensors(trained_here),
            alert_on_run_failure,
        ],
        resources={
            "deployment": deployment,
            "landing": LandingResource(deployment=deployment),
            "lake": LakeResource(deployment=deployment),
            "warehouse": WarehouseResource(deployment=deployment),
            "dbt": dbt_resource(),
            "gpu": (gpu := GpuResource(deployment=deployment)),
            "language_models": LanguageModelsResource(deployment=deployment, gpu=gpu),
            **(resources or {}),
        },
    )


defs = build_defs()
