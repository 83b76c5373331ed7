"""The column contracts of the prediction tables: rows and features stay in the lake, as does what a model wrote."""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "PREDICTIONS",
    "PREDICTION_COMPARISONS",
    "PREDICTION_MODELS",
    "PREDICTION_RESULTS",
    "PREDICTION_ROWS",
    "PREDICTION_SCORES",
    "PREDICTION_STATUSES",
    "PREDICTION_TABLES",
    "PREDICTION_WEIGHTS",
]

# unparsed: the model wrote neither yes nor no
PREDICTION_STATUSES = ("answered", "unparsed", "truncated", "too_long", "unavailable")

_QUESTION = [
    column("question", pa.string(), "Name of the question", nullable=False),
    column("question_sha", pa.string(), "Digest of question, rows and splits", nullable=False),
]
_MODEL = column("model", pa.string(), "Model, e.g. lasso, lightgbm, llm_<name>, llm_<name>_lora", nullable=False)

PREDICTION_ROWS = pa.schema(
    [
        *_QUESTION,
        column("row_id", pa.string(), "The source's id of the row", nullable=False),
        column(
            "group", pa.int64(), "Rows of one person, or equal in every feature, share it: never split", nullable=False
        ),
        column("outcome", pa.bool_(), "The answer", nullable=False),
        column("split", pa.string(), "train | validation | test", nullable=False),
        column(
            "folds",
            pa.list_(pa.int32()),
            "Fold of each repeat of the cross-validation; -1 for test rows",
            nullable=False,
        ),
        column("features", pa.string(), "What every model sees, as JSON; null is not recorded", nullable=False),
        column("subgroups", pa.string(), "The groups it is judged in, as JSON", nullable=False),
    ]
)

PREDICTIONS = pa.schema(
    [
        *_QUESTION,
        _MODEL,
        column("row_id", pa.string(), "The source's id of the row", nullable=False),
        column(
            "design",
            pa.string(),
            "held_out | cross_validation | every_row (a model that learns from no row)",
            nullable=False,
        ),
        column("repeat", pa.int32(), "Of the cross-validation; 0 otherwise", nullable=False),
        column("fold", pa.int32(), "Of the cross-validation; 0 otherwise", nullable=False),
        column("probability", pa.float64(), "P(yes); null where the model tells none"),
        column("answer", pa.bool_(), "What a model said that tells no probability, or null"),
        column("status", pa.string(), " | ".join(PREDICTION_STATUSES), nullable=False),
        column("text", pa.large_string(), "What the model wrote; null for classical models. Lake only"),
    ]
)

PREDICTION_MODELS = pa.schema(
    [
        *_QUESTION,
        _MODEL,
        column("family", pa.string(), "constant | classical | language_model | stacked", nullable=False),
        column("description", pa.string(), "What it is", nullable=False),
        column("n_train", pa.int64(), "Rows it learnt from (held_out); 0 for zero-shot", nullable=False),
        column("seconds", pa.float64(), "Seconds it took, training and answers", nullable=False),
        column("n_input_tokens", pa.int64(), "Tokens read"),
        column("n_output_tokens", pa.int64(), "Tokens written"),
        column("n_unseen", pa.int64(), "Values of categories that training did not have (held_out)", nullable=False),
        column("settings", pa.string(), "What it was made with, as JSON", nullable=False),
        column(
            "revision", pa.string(), "What tells its weights from others; empty for classical models", nullable=False
        ),
        column("adapter_sha", pa.string(), "Digest of its adapter; empty for none", nullable=False),
        column("made_at", TIMESTAMP, "When, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run", nullable=False),
        column(
            "model_sha",
            pa.string(),
            "Digest of the stored model; empty for constants and language models",
            nullable=False,
        ),
        column("processor_seconds", pa.float64(), "Seconds of processor time, all cores", nullable=False),
        column(
            "peak_bytes",
            pa.int64(),
            "Most memory of the process (or of the GPU) while it was made, bytes",
            nullable=False,
        ),
    ]
)

PREDICTION_WEIGHTS = pa.schema(
    [
        *_QUESTION,
        _MODEL,
        column("kind", pa.string(), "coefficient | permutation_importance", nullable=False),
        column("feature", pa.string(), "Column or feature", nullable=False),
        column(
            "value",
            pa.float64(),
            "Coefficient (log-odds), or mean fall of the AUROC when it is shuffled",
            nullable=False,
        ),
        column("low", pa.float64(), "Lower 95 % limit: refits on drawn persons, or shuffles"),
        column("high", pa.float64(), "Upper 95 % limit"),
        column("share_nonzero", pa.float64(), "Share of refits in which the penalty left it in; null for importances"),
    ]
)

PREDICTION_RESULTS = pa.schema(
    [
        *_QUESTION,
        _MODEL,
        column("design", pa.string(), "test | cross_validation", nullable=False),
        column("subgroup", pa.string(), "all, or <feature>=<value>", nullable=False),
        column(
            "metric", pa.string(), "auroc, brier, f1, mcc, balance_gap, tp, parsed_rate, threshold, ...", nullable=False
        ),
        column("value", pa.float64(), "Null where undefined"),
        column("low", pa.float64(), "Lower 95 % limit, from drawing persons (calibration: Wald; parsed_rate: Wilson)"),
        column("high", pa.float64(), "Upper 95 % limit"),
        column("n", pa.int64(), "Rows judged", nullable=False),
        column("n_positive", pa.int64(), "Of these, with the answer yes", nullable=False),
    ]
)

PREDICTION_COMPARISONS = pa.schema(
    [
        *_QUESTION,
        column("model_a", pa.string(), "One model", nullable=False),
        column("model_b", pa.string(), "The other", nullable=False),
        column("n", pa.int64(), "Test rows", nullable=False),
        column("a_only_right", pa.int64(), "Rows that only a has right", nullable=False),
        column("b_only_right", pa.int64(), "Rows that only b has right", nullable=False),
        column("mcnemar_p", pa.float64(), "Exact, two-sided", nullable=False),
        column("mcnemar_p_holm", pa.float64(), "Adjusted for all pairs", nullable=False),
        column("auroc_difference", pa.float64(), "AUROC of a less b's", nullable=False),
        column("auroc_low", pa.float64(), "Lower 95 % limit (DeLong)"),
        column("auroc_high", pa.float64(), "Upper 95 % limit"),
        column("delong_p", pa.float64(), "Two-sided; null where it cannot be told"),
        column("delong_p_holm", pa.float64(), "Adjusted for all pairs"),
        column("verdict", pa.string(), "In words", nullable=False),
    ]
)

PREDICTION_SCORES = pa.schema(
    [
        *_QUESTION,
        column("row_id", pa.string(), "The source's id of a row without an outcome", nullable=False),
        column("model", pa.string(), "The promoted model", nullable=False),
        column("model_sha", pa.string(), "Digest of the stored model", nullable=False),
        column("probability", pa.float64(), "P(yes)", nullable=False),
        column("said_yes", pa.bool_(), "Whether it reaches the threshold of the validation rows", nullable=False),
        column("n_missing", pa.int64(), "Features in which nothing was recorded", nullable=False),
        column("n_unseen", pa.int64(), "Categories that training did not have", nullable=False),
        column("made_at", TIMESTAMP, "When, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run", nullable=False),
    ]
)

PREDICTION_TABLES: dict[str, pa.Schema] = {
    "prediction/rows": PREDICTION_ROWS,
    "prediction/predictions": PREDICTIONS,
    "prediction/models": PREDICTION_MODELS,
    "prediction/weights": PREDICTION_WEIGHTS,
    "prediction/results": PREDICTION_RESULTS,
    "prediction/comparisons": PREDICTION_COMPARISONS,
    "prediction/scores": PREDICTION_SCORES,
}
