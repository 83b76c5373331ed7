"""What is kept of every adapter: how it was trained, what it answered on the test notes, what was decided, which one labels.

Rows go to the lake, one partition an adapter, so that nothing is lost when the next one comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from clinical_assets.adapters.comparison import Verdict
from clinical_assets.adapters.gold_notes import GoldNote
from clinical_assets.language_models.adapter_store import AdapterCard
from clinical_assets.language_models.answers import Answer
from clinical_assets.storage.adapter_contracts import (
    ADAPTER_ANSWERS,
    ADAPTER_EPOCHS,
    ADAPTER_SCORES,
    ADAPTER_VERDICTS,
    ADAPTERS,
    PROMOTIONS,
)
from clinical_assets.storage.lake import Lake

__all__ = ["answer_rows", "register_comparison", "register_promotion", "register_training", "training_of", "verdict_on"]

_KEY = 16  # characters of the digest that name folder and partition


def register_training(
    lake: Lake,
    card: AdapterCard,
    folder: str,
    metric: str | None,
    *,
    n_available: int,
    trained_at: datetime,
    run_id: str,
) -> None:
    """Write how an adapter was trained: one row, and one an epoch."""
    row = {
        "adapter_sha": card.digest,
        "train_sha": card.train_digest,
        "validation_sha": card.validation_digest,
        "n_available": n_available,
        "settings": card.settings.model_dump_json(),
        "folder": folder,
        "trained_at": trained_at,
        "run_id": run_id,
    }
    row |= {name: getattr(card, name) for name in ADAPTERS.names if name not in row}
    epochs = [
        {
            "adapter_sha": card.digest,
            "epoch": int(epoch["epoch"]),
            "step": int(epoch["step"]),
            "loss": epoch.get("loss"),
            "validation_loss": epoch.get("validation_loss"),
            "metric": epoch.get(metric) if metric else None,
            "learning_rate": epoch.get("learning_rate"),
            "is_best": int(epoch["epoch"]) == card.best_epoch,
        }
        for epoch in card.history
    ]
    # The row last: where it stands, all of it does.
    lake.write(
        "adapters/epochs", pa.Table.from_pylist(epochs, ADAPTER_EPOCHS), ADAPTER_EPOCHS, batch=card.digest[:_KEY]
    )
    lake.write("adapters/trained", pa.Table.from_pylist([row], ADAPTERS), ADAPTERS, batch=card.digest[:_KEY])


def answer_rows(
    adapter_sha: str,
    fields: Sequence[str],
    notes: Sequence[GoldNote],
    answers: Mapping[str, Mapping[int, Answer]],
    *,
    labelled_at: datetime,
    run_id: str,
) -> pa.Table:
    """Return what base and adapter said of the test notes (contract ADAPTER_ANSWERS).

    Parameters
    ----------
    answers
        Variant (base, adapter) -> note_id -> answer.
    """
    rows = [
        {
            "adapter_sha": adapter_sha,
            "variant": variant,
            "note_id": note.note_id,
            "person_id": note.person_id,
            "note_sha256": note.text_sha256,
            "field": name,
            "gold": note.gold[k],
            "value": said[note.note_id].values[k],
            "probability": said[note.note_id].probabilities[k],
            "status": said[note.note_id].status,
            "labelled_at": labelled_at,
            "run_id": run_id,
        }
        for variant, said in answers.items()
        for note in notes
        for k, name in enumerate(fields)
    ]
    return pa.Table.from_pylist(rows, ADAPTER_ANSWERS)


def register_comparison(
    lake: Lake,
    adapter_sha: str,
    answers: pa.Table,
    scores: Sequence[Mapping[str, Any]],
    verdict: Verdict,
    *,
    n_notes: int,
    decided_at: datetime,
    run_id: str,
) -> None:
    """Write the answers to the test notes, the comparison of base and adapter (one row a field), and the verdict."""
    key = adapter_sha[:_KEY]
    lake.write("adapters/answers", answers, ADAPTER_ANSWERS, batch=key)
    rows = [{"adapter_sha": adapter_sha, **row} for row in scores]
    lake.write("adapters/scores", pa.Table.from_pylist(rows, ADAPTER_SCORES), ADAPTER_SCORES, batch=key)
    judged = {name: _plain(value) for name, value in asdict(verdict).items() if name not in {"low", "high", "reasons"}}
    judged |= {"difference_low": _plain(verdict.low), "difference_high": _plain(verdict.high)}
    judged |= {"adapter_sha": adapter_sha, "reasons": "; ".join(verdict.reasons), "n_notes": n_notes}
    judged |= {"decided_at": decided_at, "run_id": run_id}
    lake.write("adapters/verdicts", pa.Table.from_pylist([judged], ADAPTER_VERDICTS), ADAPTER_VERDICTS, batch=key)


def training_of(lake: Lake, adapter_sha: str) -> Mapping[str, Any] | None:
    """Return how an adapter was trained (a row of adapters/trained); None if that was not registered."""
    return _row(lake, "adapters/trained", adapter_sha)


def verdict_on(lake: Lake, adapter_sha: str) -> Mapping[str, Any] | None:
    """Return the verdict on an adapter (a row of adapters/verdicts); None if it was not compared with its base yet."""
    return _row(lake, "adapters/verdicts", adapter_sha)


def _row(lake: Lake, table: str, adapter_sha: str) -> Mapping[str, Any] | None:
    key = adapter_sha[:_KEY]
    return lake.read(table, key).to_pylist()[0] if lake.has(table, key) else None


def register_promotion(lake: Lake, adapter_sha: str, *, promoted_at: datetime, run_id: str) -> None:
    """Add a promotion to those of an adapter: it may be promoted again after another one."""
    key = adapter_sha[:_KEY]
    row = {"adapter_sha": adapter_sha, "promoted_at": promoted_at, "run_id": run_id}
    before = [lake.read("adapters/promotions", key)] if lake.has("adapters/promotions", key) else []
    rows = pa.concat_tables([*before, pa.Table.from_pylist([row], PROMOTIONS)])
    lake.write("adapters/promotions", rows, PROMOTIONS, batch=key)


def _plain(value: Any) -> Any:
    """None for nan, which is no number to compare with."""
    return None if isinstance(value, float) and math.isnan(value) else value
