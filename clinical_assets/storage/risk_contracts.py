"""The column contracts of the risk questions' tables: persons and numbers, no text."""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "ANALYSES",
    "RISK_COHORT",
    "RISK_DRIFT",
    "RISK_EVALUATION",
    "RISK_FITS",
    "RISK_OUT_OF_FOLD",
    "RISK_SCORES",
    "RISK_TABLES",
]

ANALYSES = (
    "performance",
    "difference",
    "slice",
    "transfer",
    "censoring",
    "severe_outcome",
    "genetic_score",
    "learning_curve",
    "sample_size",
    "calibration_curve",
    "net_benefit",
    "contribution",
    "optimism",
)

RISK_COHORT = pa.schema(
    [
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("index_date", pa.date32(), "First index event", nullable=False),
        column("role", pa.string(), "case | control | removed", nullable=False),
        column("reason", pa.string(), "Why: see risk.windows", nullable=False),
        column("days_first_event", pa.int64(), "Day of the first record, from the index"),
        column("days_last_event", pa.int64(), "Day of the last record"),
        column("days_till_outcome", pa.int64(), "Day of the first outcome; null if none"),
        column("days_till_severe", pa.int64(), "Day of the first severe outcome after the index; null if none"),
        column("exclusion", pa.string(), "First exclusion by name that applies"),
        column("age_at_index", pa.int64(), "Full years"),
        column("gender_concept_id", pa.int64(), "Sex"),
        column("race_concept_id", pa.int64(), "Race"),
        column("ethnicity_concept_id", pa.int64(), "Ethnicity"),
        column("care_site_id", pa.int64(), "Primary care site"),
        column("genetic_score", pa.float64(), "Latest before the index; null if none"),
    ]
)

_MODEL = [
    column("question", pa.string(), "Name of the risk question", nullable=False),
    column("model", pa.string(), "Feature set, learner and encoder, joined by /", nullable=False),
]

RISK_OUT_OF_FOLD = pa.schema(
    [
        *_MODEL,
        column("design", pa.string(), "cross_validation | time | site", nullable=False),
        column("label", pa.string(), "What was tested, e.g. the site; empty for cross_validation", nullable=False),
        column("repeat", pa.int32(), "Which repeat of the cross-validation, from 0", nullable=False),
        column("fold", pa.int32(), "Which part, from 0", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("is_case", pa.bool_(), "What became of the person", nullable=False),
        column("risk", pa.float64(), "Risk by a model that was not trained on the person", nullable=False),
        column("calibrated", pa.float64(), "The same after logistic recalibration on the other parts", nullable=False),
    ]
)

RISK_FITS = pa.schema(
    [
        column("fit_sha", pa.string(), "Digest of all that the risks depend on", nullable=False),
        *_MODEL,
        column("design", pa.string(), "cross_validation | time | site", nullable=False),
        column("label", pa.string(), "What was tested, e.g. the site", nullable=False),
        column("repeat", pa.int32(), "Which repeat", nullable=False),
        column("fold", pa.int32(), "Which part", nullable=False),
        column(
            "risk", pa.list_(pa.float64()), "Risks of the tested persons, in the order of the split", nullable=False
        ),
        column("made_at", TIMESTAMP, "When it was written, UTC", nullable=False),
    ]
)

RISK_EVALUATION = pa.schema(
    [
        *_MODEL,
        column("analysis", pa.string(), " | ".join(ANALYSES), nullable=False),
        column("design", pa.string(), "cross_validation | time | site; empty where it is none", nullable=False),
        column(
            "detail",
            pa.string(),
            "The other model, group, site, recalibration, share, threshold, cell or column; empty for none",
            nullable=False,
        ),
        column("metric", pa.string(), "Name of the number", nullable=False),
        column("value", pa.float64(), "Its value; null where undefined or withheld"),
        column("low", pa.float64(), "Lower 95 % limit"),
        column("high", pa.float64(), "Upper 95 % limit"),
        column("n", pa.int64(), "Persons; null where withheld"),
        column("n_events", pa.int64(), "Cases among them; null where withheld"),
        column("status", pa.string(), "evaluated | insufficient | withheld | skipped", nullable=False),
        column("reason", pa.string(), "Why there is no number; empty where there is one", nullable=False),
    ]
)

RISK_SCORES = pa.schema(
    [
        *_MODEL,
        column("model_sha", pa.string(), "Digest of the frozen model: names its folder", nullable=False),
        column("feature_set", pa.string(), "What it was made from", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("index_date", pa.date32(), "First index event", nullable=False),
        column("is_new", pa.bool_(), "Not among the persons that the model was trained on", nullable=False),
        column("probability", pa.float64(), "Risk of the outcome in the question's window", nullable=False),
        column("calibrated", pa.float64(), "The same after recalibration on out-of-fold risks", nullable=False),
        column(
            "percentile", pa.float64(), "Share of out-of-fold risks that are at most this one, 0 to 100", nullable=False
        ),
        column("band", pa.string(), "low (below the 50th percentile) | medium | high (from the 90th)", nullable=False),
        column("made_at", TIMESTAMP, "When it was made, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that made it", nullable=False),
    ]
)

RISK_DRIFT = pa.schema(
    [
        *_MODEL,
        column("model_sha", pa.string(), "Digest of the frozen model", nullable=False),
        column("feature", pa.string(), "Column of the model, or score", nullable=False),
        column("psi", pa.float64(), "Population stability index of new persons against training; null for nobody"),
        column("n_training", pa.int64(), "Persons it was trained on", nullable=False),
        column("n_new", pa.int64(), "New persons", nullable=False),
    ]
)

RISK_TABLES: dict[str, pa.Schema] = {
    "risk/cohort": RISK_COHORT,
    "risk/out_of_fold": RISK_OUT_OF_FOLD,
    "risk/evaluation": RISK_EVALUATION,
    "risk/fits": RISK_FITS,
    "risk/scores": RISK_SCORES,
    "risk/drift": RISK_DRIFT,
}
