"""The column contracts of the adapters' tables: one partition an adapter, never rewritten by another one."""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.storage.columns import TIMESTAMP, column

__all__ = [
    "ADAPTERS",
    "ADAPTER_ANSWERS",
    "ADAPTER_EPOCHS",
    "ADAPTER_SCORES",
    "ADAPTER_TABLES",
    "ADAPTER_VERDICTS",
    "PROMOTIONS",
]

_ADAPTER = column("adapter_sha", pa.string(), "Digest of the adapter: names its folder, and its labels", nullable=False)
_METRICS = ("precision", "recall", "f1", "kappa", "accuracy")

ADAPTERS = pa.schema(
    [
        _ADAPTER,
        column("task", pa.string(), "What it was trained for, e.g. labels", nullable=False),
        column("model", pa.string(), "The catalogue's name of its base model", nullable=False),
        column("base", pa.string(), "Hugging Face id, folder or demo recipe of the base", nullable=False),
        column("base_revision", pa.string(), "What tells the base's weights from others", nullable=False),
        column("prompt_sha", pa.string(), "Digest of the wording it was trained with", nullable=False),
        column("train_sha", pa.string(), "Digest of the training examples: notes, versions, labels", nullable=False),
        column("validation_sha", pa.string(), "Digest of the validation examples", nullable=False),
        column("n_train", pa.int64(), "Notes it was trained on", nullable=False),
        column("n_validation", pa.int64(), "Notes that chose the epoch", nullable=False),
        column("n_cut", pa.int64(), "Notes of these whose middle was left out to fit the token budget", nullable=False),
        column(
            "n_available", pa.int64(), "Annotated notes there were to train on and to validate with", nullable=False
        ),
        column("settings", pa.string(), "How it was trained (JSON): rank, rate, epochs, ...", nullable=False),
        column("n_trainable", pa.int64(), "Parameters of the adapter", nullable=False),
        column("n_parameters", pa.int64(), "Parameters of the base", nullable=False),
        column("n_steps", pa.int64(), "Optimizer steps", nullable=False),
        column("best_epoch", pa.int64(), "Epoch whose weights are kept; the first is 1", nullable=False),
        column("stopped", pa.string(), "finished | early | not_finite", nullable=False),
        column("seconds", pa.float64(), "Seconds of training", nullable=False),
        column("tokens_per_second", pa.float64(), "Tokens trained on a second", nullable=False),
        column("peak_bytes", pa.int64(), "Most memory used, bytes", nullable=False),
        column("device", pa.string(), "cpu | cuda | mps", nullable=False),
        column("folder", pa.string(), "Where its files are, below the folder of models", nullable=False),
        column("trained_at", TIMESTAMP, "When it was trained, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that trained it", nullable=False),
    ]
)

ADAPTER_EPOCHS = pa.schema(
    [
        _ADAPTER,
        column("epoch", pa.int64(), "The first epoch is 1", nullable=False),
        column("step", pa.int64(), "Optimizer steps so far", nullable=False),
        column("loss", pa.float64(), "Mean training loss of the epoch"),
        column("validation_loss", pa.float64(), "Loss on the validation notes"),
        column("metric", pa.float64(), "What chose the epoch, e.g. macro F1 on the validation notes"),
        column("learning_rate", pa.float64(), "At the end of the epoch"),
        column("is_best", pa.bool_(), "Its weights are kept", nullable=False),
    ]
)

ADAPTER_ANSWERS = pa.schema(
    [
        _ADAPTER,
        column("variant", pa.string(), "base | adapter", nullable=False),
        column("note_id", pa.int64(), "OMOP note.note_id of a test note", nullable=False),
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("note_sha256", pa.string(), "SHA-256 of the text that was read", nullable=False),
        column("field", pa.string(), "Field of the study", nullable=False),
        column("gold", pa.bool_(), "What humans say; null where they disagree"),
        column("value", pa.bool_(), "true | false; null when status says why there is none"),
        column("probability", pa.float32(), "P(true)"),
        column("status", pa.string(), "labelled, or why there is no value (as in labels)", nullable=False),
        column("labelled_at", TIMESTAMP, "When it was answered, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that asked", nullable=False),
    ]
)

ADAPTER_SCORES = pa.schema(
    [
        _ADAPTER,
        column("field", pa.string(), "Field of the study; (all) for all of them", nullable=False),
        column("n", pa.int64(), "Answers compared", nullable=False),
        column("n_persons", pa.int64(), "Persons they are of", nullable=False),
        column("n_positive", pa.int64(), "Answers whose gold is true", nullable=False),
        column("prevalence", pa.float64(), "Share whose gold is true"),
        column("majority_accuracy", pa.float64(), "Accuracy of always giving the commoner answer"),
        *[
            column(f"{variant}_{name}", pa.int64(), f"{variant}: {what}", nullable=False)
            for variant in ("base", "adapter")
            for name, what in (
                ("tp", "true and gold true"),
                ("fp", "true or missing and gold false"),
                ("fn", "false or missing and gold true"),
                ("tn", "false and gold false"),
                ("n_missing", "answers without a value, counted as wrong"),
            )
        ],
        *[
            column(f"{variant}_{name}", pa.float64(), f"{variant}: {name}; null where undefined")
            for variant in ("base", "adapter")
            for name in _METRICS
        ],
        *[
            column(f"{name}_difference{end}", pa.float64(), f"{name} of adapter minus base{what}")
            for name in _METRICS
            for end, what in (("", ""), ("_low", ", lower 95 % limit"), ("_high", ", upper 95 % limit"))
        ],
        column("n_only_base_right", pa.int64(), "Answers that only the base has right"),
        column("n_only_adapter_right", pa.int64(), "Answers that only the adapter has right"),
        column("p_mcnemar", pa.float64(), "Exact two-sided p of these two counts being equally likely"),
        column("p_holm", pa.float64(), "The same, adjusted for the number of fields (Holm)"),
    ]
)

ADAPTER_VERDICTS = pa.schema(
    [
        _ADAPTER,
        column(
            "promotable",
            pa.bool_(),
            "It is better than its base beyond doubt, and no worse against majority",
            nullable=False,
        ),
        column("difference", pa.float64(), "Macro F1 of adapter minus base, on the test notes"),
        column("difference_low", pa.float64(), "Lower 95 % limit"),
        column("difference_high", pa.float64(), "Upper 95 % limit"),
        column("n_above_base", pa.int64(), "Fields on which the base is above majority", nullable=False),
        column("n_above_adapter", pa.int64(), "Fields on which the adapter is above majority", nullable=False),
        column("n_fields", pa.int64(), "Fields of which that can be told", nullable=False),
        column("n_notes", pa.int64(), "Test notes", nullable=False),
        column("reasons", pa.string(), "Why it is refused; empty if promotable", nullable=False),
        column("decided_at", TIMESTAMP, "When it was compared, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that compared", nullable=False),
    ]
)

PROMOTIONS = pa.schema(
    [
        _ADAPTER,
        column("promoted_at", TIMESTAMP, "When it was made the one that labels, UTC", nullable=False),
        column("run_id", pa.string(), "Dagster run that promoted it", nullable=False),
    ]
)

ADAPTER_TABLES: dict[str, pa.Schema] = {
    "adapters/trained": ADAPTERS,
    "adapters/epochs": ADAPTER_EPOCHS,
    "adapters/answers": ADAPTER_ANSWERS,
    "adapters/scores": ADAPTER_SCORES,
    "adapters/verdicts": ADAPTER_VERDICTS,
    "adapters/promotions": PROMOTIONS,
}
