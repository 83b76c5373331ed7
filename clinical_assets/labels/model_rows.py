"""Answers of models as rows of the LABELS contract, and back: what the ledger keeps of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from clinical_assets.labels.evidence import NOTHING, EvidenceFinder, FieldEvidence
from clinical_assets.language_models.answers import Answer, AnswerSchema
from clinical_assets.storage.contracts import LABELS

__all__ = ["CASCADE", "Answered", "answered_rows", "answers_of", "finished_rows"]

CASCADE = "cascade:no_mention"
_ASK_AGAIN = "unavailable"


@dataclass(frozen=True)
class Answered:
    """What stands of a note: the answer, which fields were settled without the model, and when by whom (None: now).

    `no_text` notes carry an answer without values and `status` no_text.
    """

    answer: Answer
    unmentioned: tuple[bool, ...] | None = None
    no_text: bool = False
    made: tuple[datetime, str] | None = None

    @classmethod
    def without_text(cls, schema: AnswerSchema) -> Answered:
        """Return what stands of a note that cannot be read."""
        return cls(Answer.failure(schema, "labelled", ""), no_text=True)

    @classmethod
    def unmentioned_fields(cls, schema: AnswerSchema) -> Answered:
        """Return what stands of a note none of whose fields is mentioned: all false, no model asked."""
        n = len(schema.fields)
        return cls(Answer("labelled", (False,) * n, (None,) * n), (True,) * n)


def answered_rows(
    notes: pa.Table,
    answered: Mapping[int, Answered],
    identity: Mapping[str, str],
    schema: AnswerSchema,
    run_id: str,
    labelled_at: datetime,
) -> list[dict[str, Any]]:
    """Return one row per answered note and field, in order of note_id and field; evidence is still to come."""
    columns = notes.select(["note_id", "person_id", "text_sha256", "batch"]).to_pylist()
    fields = sorted(range(len(schema.fields)), key=lambda k: schema.fields[k])
    rows: list[dict[str, Any]] = []
    for note in sorted(columns, key=lambda row: row["note_id"]):
        found = answered.get(note["note_id"])
        if found is None:
            continue
        made_at, made_by = found.made or (labelled_at, run_id)
        rows.extend(
            {
                **identity,
                "note_id": note["note_id"],
                "note_sha256": note["text_sha256"],
                "person_id": note["person_id"],
                "batch": note["batch"],
                "field": schema.fields[k],
                **_said(found, k),
                "n_input_tokens": found.answer.n_input_tokens,
                "n_output_tokens": found.answer.n_output_tokens,
                "seconds": found.answer.seconds,
                "labelled_at": made_at,
                "run_id": made_by,
            }
            for k in fields
        )
    return rows


def _said(found: Answered, k: int) -> dict[str, Any]:
    if found.no_text:
        return {"value": None, "probability": None, "status": "no_text", "reason": None}
    if found.unmentioned is not None and found.unmentioned[k]:
        return {"value": False, "probability": None, "status": "labelled", "reason": CASCADE}
    value = found.answer.values[k]
    status = "labelled" if value is not None else found.answer.status
    probability = found.answer.probabilities[k] if value is not None else None
    return {"value": value, "probability": probability, "status": status, "reason": found.answer.reason}


def finished_rows(
    rows: list[dict[str, Any]],
    evidence: Callable[[int], dict[str, FieldEvidence] | None],
    finder: EvidenceFinder,
) -> pa.Table:
    """Return rows as a LABELS table with their evidence. `reason` says how a value and its evidence agree."""
    for row in rows:
        found = evidence(row["note_id"]) if row["status"] != "no_text" else {}
        mine = (found or {}).get(row["field"], NOTHING)
        known = row["status"] == "labelled" and found is not None
        row["mentioned"] = mine.mentioned if known else None
        row["asserted"] = mine.asserted if known else None
        row["assertion"] = mine.assertion if known else None
        row["evidence_start"] = mine.start if known else None
        row["evidence_end"] = mine.end if known else None
        if row["value"] is not None and row["reason"] != CASCADE:
            agreed = finder.supports(row["field"], row["value"], found)
            row["reason"] = ";".join(part for part in (agreed, _kept_reason(row["reason"])) if part) or None
    return pa.Table.from_pylist(rows, schema=LABELS)


def answers_of(rows: pa.Table, schema: AnswerSchema) -> dict[int, Answered]:
    """Return note_id -> what stands of it, from rows of the ledger; notes that lack a field, or got no answer, are left out."""
    by_note: dict[int, dict[str, dict[str, Any]]] = {}
    for row in rows.to_pylist():
        by_note.setdefault(row["note_id"], {})[row["field"]] = row
    kept = {}
    for note_id, found in by_note.items():
        if set(found) != set(schema.fields) or any(row["status"] == _ASK_AGAIN for row in found.values()):
            continue
        ordered = [found[name] for name in schema.fields]
        first = ordered[0]
        failed = [row for row in ordered if row["status"] != "labelled"]
        reasons = {own for row in failed or ordered if (own := _kept_reason(row["reason"])) not in {None, CASCADE}}
        answer = Answer(
            failed[0]["status"] if failed and failed[0]["status"] != "no_text" else "labelled",
            tuple(row["value"] for row in ordered),
            tuple(row["probability"] for row in ordered),
            n_input_tokens=first["n_input_tokens"],
            n_output_tokens=first["n_output_tokens"],
            seconds=first["seconds"],
            reason=min(reasons, key=str) if reasons else None,
        )
        unmentioned = tuple(row["reason"] == CASCADE for row in ordered)
        kept[note_id] = Answered(
            answer,
            unmentioned if any(unmentioned) else None,
            no_text=bool(failed) and failed[0]["status"] == "no_text",
            made=(first["labelled_at"], first["run_id"]),
        )
    return kept


def _kept_reason(reason: str | None) -> str | None:
    """Return the part of a reason that is the backend's own: evidence is judged anew."""
    if reason is None:
        return None
    own = [
        p
        for p in reason.split(";")
        if not p.startswith(("supported", "contradicted", "unsupported", "rules_", "evidence_"))
    ]
    return ";".join(own) or None
