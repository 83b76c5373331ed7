"""Jobs that a person or the command line launches; automation needs none of them."""

from typing import TYPE_CHECKING

import dagster as dg

from sensors.quality import without_standing_checks

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

__all__ = ["TRAIN_ADAPTERS", "build_jobs"]

TRAIN_ADAPTERS = "train_adapters"
# What entities are linked to; without it the first extraction knows no synonym.
_VOCABULARY = [["omop", name] for name in ("concept", "concept_relationship", "concept_synonym")]
_RISK_INPUTS = [["risk", name] for name in ("windows", "attrition", "pre_index_codes", "charlson")]


def build_jobs(
    *,
    per_batch: list[dg.AssetKey],
    intake: list[dg.AssetKey],
    landing: list[dg.AssetKey],
    warehouse: list[dg.AssetKey],
    models: list[dg.AssetKey],
    model_labels: list[dg.AssetKey],
    adapters: list[dg.AssetKey],
    summaries: list[dg.AssetKey],
    note_vectors: dg.AssetKey,
    entities: list[dg.AssetKey],
    relations: dg.AssetKey,
    relation_model: list[dg.AssetKey],
    entity_graph: list[dg.AssetKey],
    person_vectors: list[dg.AssetKey],
    risk: list[dg.AssetKey],
    predictions: list[dg.AssetKey],
    prediction_adapters: list[dg.AssetKey],
    stacked: dg.AssetKey,
    comparison: list[dg.AssetKey],
    on_demand: list[dg.AssetCheckKey],
    annotations: list[dg.AssetKey],
    review_export: dg.AssetKey,
    exploration: list[dg.AssetKey],
    entity_model: list[dg.AssetKey],
    daily: list[dg.AssetCheckKey],
) -> "list[UnresolvedAssetJobDefinition]":
    """Return the jobs over the given assets: per batch intake and rule labels, the warehouse, the landed snapshots, models, annotations.

    Checks `on_demand` are in none of them, and `daily` ones not in the build of the warehouse.
    """
    labels = [key for key in per_batch if key not in intake]
    scope = dg.AssetSelection.assets(["notes", "labelling_scope"], ["ops", "batches"], *_RISK_INPUTS, *_VOCABULARY)
    with_models = [
        _job("train_demo_models", dg.AssetSelection.assets(*models), "Train the demo models that are not there yet."),
        _job(
            "label_with_demo_models",
            without_standing_checks(model_labels) - dg.AssetSelection.checks(*on_demand),
            "Labels of one note batch by every demo model, with its adapter and without, with their checks.",
        ),
    ]
    with_adapters = [
        _job(
            TRAIN_ADAPTERS,
            dg.AssetSelection.assets(*adapters),
            "Train adapters on the human labels, compare each with its base, promote what is better.",
        )
    ]
    tuning = [
        _job(
            "fine_tune_predictions",
            dg.AssetSelection.assets(*prediction_adapters),
            "Fine-tune models for the prediction question and let them answer. Needs its rows; compare_predictions judges them.",
        )
    ]
    return [
        _job(
            "materialize_note_batch",
            without_standing_checks(per_batch),
            "Everything that is per note batch: intake and labels, with their checks.",
        ),
        _job("label_note_batch", without_standing_checks(labels), "Labels of one note batch, with their checks."),
        _job(
            "build_warehouse_job",
            dg.AssetSelection.assets(*warehouse) - dg.AssetSelection.checks(*daily),
            "Take in human labels, rebuild every table that analysts see, test it, publish it.",
        ),
        _job(
            "materialize_annotations",
            dg.AssetSelection.assets(*annotations),
            "Human labels as they landed, what they agree on, and the splits, with all their checks.",
        ),
        _job(
            "export_review_queue",
            dg.AssetSelection.assets(review_export),
            "Write the top of the review queue with texts, for an annotation tool.",
        ),
        _job(
            "explore_seed_cleaning",
            dg.AssetSelection.assets(*exploration),
            "What the seed's cleaning leaves of the notes in scope: three tables and plots of length. Feeds nothing.",
        ),
        _job(
            "train_entity_model",
            dg.AssetSelection.assets(*entity_model),
            "The landed corpora, the model that finds diseases and chemicals, its scores, with their checks. Needs the warehouse.",
        ),
        _job(
            "find_notes_in_scope",
            (scope | (scope.upstream() & dg.AssetSelection.assets(*warehouse))).without_checks(),
            "Build the part of the warehouse that says which notes models are asked about, whom the risk question, and what things are "
            "called; the whole build tests it.",
        ),
        _job(
            "summarize_note_batch",
            without_standing_checks(summaries),
            "Summaries of one note batch, in two extractive stages, with their checks and scores. Needs the notes in scope.",
        ),
        _job(
            "process_note_batch",
            without_standing_checks([*summaries, note_vectors, *entities, relations, *model_labels])
            - dg.AssetSelection.checks(*on_demand),
            "Everything of one note batch that needs the notes in scope: summaries, vectors, entities and their relations, labels by demo "
            "models, with their checks.",
        ),
        _job(
            "embed_note_batch",
            without_standing_checks([note_vectors]),
            "Vectors of the notes in scope of one note batch, with their checks. Needs the notes in scope.",
        ),
        _job(
            "extract_note_batch",
            without_standing_checks(entities),
            "Diseases and chemicals in the notes in scope of one note batch, linked, with their checks. Needs the notes in scope.",
        ),
        _job(
            "train_relation_model",
            dg.AssetSelection.assets(*relation_model),
            "Train the model of relations on the landed corpora and score it on documents left out. Needs the corpora in the lake.",
        ),
        _job(
            "relate_note_batch",
            without_standing_checks([relations]),
            "Pairs of chemicals and diseases of one note batch, with their checks. Needs its mentions.",
        ),
        _job(
            "build_entity_graph",
            dg.AssetSelection.assets(*entity_graph),
            "Count the knowledge graph over all batches, withhold small numbers, write its files, with its checks. Needs the relations.",
        ),
        _job(
            "embed_persons",
            dg.AssetSelection.assets(*person_vectors),
            "What is on record before the index date as text, and as vectors, with their checks. Needs the warehouse and risk/cohort.",
        ),
        _job(
            "evaluate_risk",
            dg.AssetSelection.assets(*risk),
            "The risk question: cohort, models with their evaluation, scores, report, with their checks. Needs the risk tables.",
        ),
        _job(
            "predict",
            dg.AssetSelection.assets(*predictions),
            "The prediction question: its rows, and the answers of every model, each by itself. One that fails stops no other.",
        ),
        _job(
            "stack_predictions",
            dg.AssetSelection.assets(stacked),
            "LightGBM with P(yes) of a language model that answered the prediction question. Needs the job predict.",
        ),
        _job(
            "compare_predictions",
            dg.AssetSelection.assets(*comparison),
            "Judge all models that answered the prediction question, and score rows without an outcome. A job of its own: a model that "
            "failed does not stop it.",
        ),
        *(tuning if prediction_adapters else []),
        *(with_models if models else []),
        *(with_adapters if adapters else []),
        _job(
            "observe_landing",
            dg.AssetSelection.assets(*landing),
            "Record the data versions of the landed OMOP snapshots.",
        ),
    ]


def _job(name: str, selection: dg.AssetSelection, description: str) -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(name, selection=selection, description=description)
