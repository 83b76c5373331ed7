"""Labels of a language model for one note batch: who is asked, what is kept, what is written.

The model is opened only if a note needs it. Answers are put by regularly, so that a run that is killed goes on where it was.
Evidence is found anew at every write: it costs little, and follows the study's terms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.batch import NOTE_COLUMNS
from clinical_assets.labels.evidence import EvidenceFinder, FieldEvidence
from clinical_assets.labels.ledger import LabelTally, carry_over
from clinical_assets.labels.model_rows import Answered, answered_rows, answers_of, finished_rows
from clinical_assets.labels.reading import NoteToRead, read_notes
from clinical_assets.labels.regex_labels import ENGINE_VERSION, label_identity, section_finder
from clinical_assets.language_models.answers import Answer, AnswerSchema, Backend, sha256
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.privacy import withhold_messages
from clinical_assets.progress import Progress
from clinical_assets.storage.contracts import LABELS
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import ContractError, Lake, Written, content_digest
from clinical_assets.study.model import Study

__all__ = ["ModelRun", "Question", "audited", "label_batch_with_model", "question_of"]

_PUT_BY_SECONDS = 30.0
_EVIDENCE = "evidence"  # in a partition's metadata: digest of what its rows are made of besides the answers
_AT_ONCE = 512  # notes whose tokens are held at a time


@dataclass(frozen=True)
class Question:
    """What a study asks of a model: the fields, the wording, and the digest that stands for both."""

    schema: AnswerSchema
    prompt: Prompt
    sha: str


@dataclass
class ModelRun:
    """What a run did. Tokens and seconds are those of the model, for the notes computed in this run."""

    written: Written
    tally: LabelTally
    seconds: float
    n_notes: int
    n_asked: int
    n_input_tokens: int = 0
    n_output_tokens: int = 0
    model_seconds: float = 0.0
    by_status: dict[str, int] = field(default_factory=dict)


def question_of(study: Study, entry: ModelEntry) -> Question:
    """Return what the study asks: its fields with `ask_models`, in the study's order."""
    asked = [rule for rule in study.fields if rule.ask_models]
    schema = AnswerSchema(tuple(rule.name for rule in asked))
    wording = study.labelling.prompt
    prompt = Prompt.build(wording.system, wording.user, schema, [rule.definition for rule in asked])
    how = f"overlap={study.labelling.overlap};dtype={entry.dtype}"
    return Question(schema, prompt, sha256(prompt.sha256, how, entry.template_text()))


def audited(note_id: int, share: float) -> bool:
    """Tell whether a note is in the random sample that a model reads whatever its terms; the same for ever."""
    return int(sha256("audit", str(note_id))[:8], 16) / 0xFFFFFFFF < share


def label_batch_with_model(
    lake: Lake,
    entry: ModelEntry,
    study: Study,
    batch: str,
    scope: Collection[int],
    revision: str,
    open_backend: Callable[[Question], AbstractContextManager[Backend]],
    *,
    adapter: str = "",
    run_id: str,
    labelled_at: datetime,
    log: Callable[[str], None],
) -> ModelRun:
    """Label the notes of a batch that are in scope, and replace the partition ``labels/llm_<model>``.

    With an adapter the labeller is another one, ``llm_<model>_lora``.

    Parameters
    ----------
    scope
        note_ids to be labelled. Labels of other notes of the batch that still hold are kept.
    revision
        What tells the weights from others.
    open_backend
        Opens the model; called only if a note has to be read.
    adapter
        Digest of the adapter that the model wears; empty for none.

    Raises
    ------
    Whatever the backend raises (ModelError, ServerError): what was answered until then is put by.
    """
    started = time.monotonic()
    labeller = entry.adapted_labeller if adapter else entry.labeller
    table, shelf = f"labels/{labeller}", f"labels_put_by/{labeller}"
    question = question_of(study, entry)
    decoding = ("cascade+" if study.labelling.cascade else "") + entry.full_decoding
    identity = {
        "labeller": labeller,
        "model_revision": revision,
        "adapter_sha": adapter,
        "prompt_sha": question.sha,
        "schema_version": study.schema_version,
        "decoding": decoding,
    }
    notes = lake.read("notes/notes", batch, NOTE_COLUMNS)
    work = _Work(study, question, lake.read("notes/sections", batch), notes)
    kept = work.standing(_kept(lake, (table, shelf), batch, notes, identity, question.schema))
    asked_for = pc.is_in(notes["note_id"], value_set=pa.array(sorted(scope), pa.int64()))
    done = pc.is_in(notes["note_id"], value_set=pa.array(kept, pa.int64()))
    todo = notes.filter(pc.and_(asked_for, pc.invert(done)))
    run = ModelRun(None, LabelTally(), 0.0, notes.filter(asked_for).num_rows, 0)  # type: ignore[arg-type]

    new = False  # answers that are not put by

    def put_by() -> None:
        _write(lake, shelf, batch, notes, kept, identity, work, run_id, labelled_at)
        failpoint("model_labels.after_put_by")

    # No ValueError passes: those of the libraries (Arrow, JSON, Unicode) quote what they could not read.
    with withhold_messages(ContractError, OSError, *_backend_errors()):
        try:
            for answered in work.answer(todo, open_backend, run, log):
                kept |= answered
                new = not work.time_to_put_by()
                if not new:
                    put_by()
        except Exception:
            if new:
                put_by()
            raise
        if todo.num_rows or lake.has(shelf, batch) or not _stands(lake, table, batch, len(kept), work):
            run.written = _write(lake, table, batch, notes, kept, identity, work, run_id, labelled_at)
            lake.remove(shelf, batch)
        else:
            run.written = lake.written(table, batch)
    rows = lake.read(table, batch, ["field", "value", "status"])
    run.tally.count(rows)
    run.tally.n_computed, run.tally.n_cached = todo.num_rows, run.n_notes - todo.num_rows
    counts = rows["status"].value_counts().to_pylist()
    run.by_status = {item["values"]: item["counts"] for item in counts}
    run.seconds = round(time.monotonic() - started, 3)
    return run


def _stands(lake: Lake, table: str, batch: str, n_notes: int, work: _Work) -> bool:
    """Tell whether the partition holds these notes' labels and no others, with evidence by the terms as they are."""
    if not lake.has(table, batch) or lake.n_rows(table, batch) != n_notes * len(work.question.schema.fields):
        return False
    return lake.metadata(table, batch).get(_EVIDENCE) == work.stamp


def _backend_errors() -> tuple[type[Exception], ...]:
    # Their messages are ours, and hold no text of a note.
    from clinical_assets.language_models.devices import DeviceError
    from clinical_assets.language_models.loading import ModelError
    from clinical_assets.language_models.server import ServerError

    return ModelError, ServerError, DeviceError


def _kept(
    lake: Lake, tables: Sequence[str], batch: str, notes: pa.Table, identity: Mapping[str, str], schema: AnswerSchema
) -> dict[int, Answered]:
    """Return note_id -> answer for the notes whose labels still stand, from the partition and what was put by."""
    kept: dict[int, Answered] = {}
    for table in tables:
        if lake.has(table, batch):
            rows = carry_over(lake.read(table, batch), notes, identity)
            kept |= answers_of(rows, schema)
    return kept


def _write(
    lake: Lake,
    table: str,
    batch: str,
    notes: pa.Table,
    answered: Mapping[int, Answered],
    identity: Mapping[str, str],
    work: _Work,
    run_id: str,
    labelled_at: datetime,
) -> Written:
    rows = answered_rows(notes, answered, identity, work.question.schema, run_id, labelled_at)
    return lake.write(
        table, finished_rows(rows, work.evidence, work.finder), LABELS, batch=batch, metadata={_EVIDENCE: work.stamp}
    )


class _Work:
    """The notes of one batch while they are read."""

    def __init__(self, study: Study, question: Question, sections: pa.Table, notes: pa.Table) -> None:
        self.question, self.finder = question, EvidenceFinder(study)
        self._rules = study.labelling
        self._find_sections = section_finder(sections, notes)
        # What rows are made of besides the answers: while it and the answers stand, the partition stands.
        self.stamp = sha256(
            label_identity(study, "regex")["prompt_sha"],
            ENGINE_VERSION,
            content_digest(sections),
            str(self._rules.audit_share) if self._rules.cascade else "",
        )
        self._row_of = {note_id: row for row, note_id in enumerate(notes["note_id"].to_pylist())}
        self._texts = notes["text"].combine_chunks()
        self._readable = pc.and_(pc.equal(notes["status"], "usable"), pc.is_valid(notes["text"])).to_pylist()
        self._found: dict[int, dict[str, FieldEvidence] | None] = {}
        self._put_by_at = time.monotonic()

    def evidence(self, note_id: int) -> dict[str, FieldEvidence] | None:
        """Return what the rules find in a note."""
        if note_id not in self._found:
            row = self._row_of[note_id]
            self._found[note_id] = self.finder.find(self._texts[row].as_py(), self._find_sections(row))
        return self._found[note_id]

    def standing(self, kept: Mapping[int, Answered]) -> dict[int, Answered]:
        """Return the kept answers that this study would give too: terms, audit sample or a note's status may have changed."""
        found = {}
        for note_id, old in kept.items():
            if old.no_text or not self._readable[self._row_of[note_id]]:
                if old.no_text and not self._readable[self._row_of[note_id]]:
                    found[note_id] = old
                continue
            settled = self._unmentioned(note_id)
            # What was settled without the model, and is to be asked of it now, is not known.
            if all(now or not before for now, before in zip(settled, old.unmentioned or settled, strict=True)):
                found[note_id] = replace(old, unmentioned=settled)
        return found

    def time_to_put_by(self) -> bool:
        """Tell whether the last time is long enough ago for a write to be worth while."""
        if time.monotonic() - self._put_by_at < _PUT_BY_SECONDS:
            return False
        self._put_by_at = time.monotonic()
        return True

    def answer(
        self,
        notes: pa.Table,
        open_backend: Callable[[Question], AbstractContextManager[Backend]],
        run: ModelRun,
        log: Callable[[str], None],
    ) -> Iterator[dict[int, Answered]]:
        """Yield note_id -> answer, a group of notes at a time: first those that need no model."""
        schema = self.question.schema
        settled: dict[int, Answered] = {}
        waiting = []
        for row in notes.select(["note_id", "text"]).to_pylist():
            if not self._readable[self._row_of[row["note_id"]]]:
                settled[row["note_id"]] = Answered.without_text(schema)
            elif self._rules.cascade and not self._needs_model(row["note_id"]):
                settled[row["note_id"]] = Answered.unmentioned_fields(schema)
            else:
                waiting.append((row["note_id"], row["text"]))
        if settled:
            yield settled
        if not waiting:
            return
        progress = Progress("notes read by the model", len(waiting), log)
        run.n_asked = len(waiting)
        with open_backend(self.question) as backend:
            for first in range(0, len(waiting), _AT_ONCE):
                notes_now = [self._to_read(*note) for note in waiting[first : first + _AT_ONCE]]
                for note_id, answer in read_notes(backend, notes_now, overlap=self._rules.overlap):
                    run.n_input_tokens += answer.n_input_tokens or 0
                    run.n_output_tokens += answer.n_output_tokens or 0
                    run.model_seconds += answer.seconds or 0.0
                    progress.add(1)
                    yield {note_id: self._settle(note_id, answer)}

    def _to_read(self, note_id: int, text: str) -> NoteToRead:
        starts = self._find_sections(self._row_of[note_id])().starts
        draft = None
        if self._rules.draft == "rules":
            draft = self.finder.rule_values(self.evidence(note_id), self.question.schema.fields)
        return NoteToRead(note_id, text, starts, draft)

    def _needs_model(self, note_id: int) -> bool:
        evidence = self.evidence(note_id)
        mentioned = evidence is None or any(name in evidence for name in self.question.schema.fields)
        return mentioned or audited(note_id, self._rules.audit_share)

    def _settle(self, note_id: int, answer: Answer) -> Answered:
        return Answered(answer, self._unmentioned(note_id))

    def _unmentioned(self, note_id: int) -> tuple[bool, ...]:
        """With the cascade, a field without a mention is false whatever the model says, except in the audit sample."""
        fields = self.question.schema.fields
        evidence = self.evidence(note_id) if self._rules.cascade else None
        if evidence is None or audited(note_id, self._rules.audit_share):
            return (False,) * len(fields)
        return tuple(name not in evidence for name in fields)
