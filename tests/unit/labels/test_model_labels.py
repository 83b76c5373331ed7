"""Labels by a model: who is asked, what is kept, what is settled without it, and what an interruption costs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.labels import model_labels
from clinical_assets.labels.model_labels import ModelRun, Question, audited, label_batch_with_model, question_of
from clinical_assets.language_models.answers import Answer, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import DeviceError
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.server import ServerError
from clinical_assets.privacy import StepError
from clinical_assets.storage.contracts import NOTES, SECTIONS, VOLATILE
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

CANARY = "Zyxcanaryqwv"
TABLE, SHELF = "labels/llm_fake", "labels_put_by/llm_fake"
APPLE, PEAR, BOTH, NEITHER = "An apple was eaten.", "A pear was eaten.", "No apple, but a pear.", "Nothing was eaten."


def study(**labelling: Any) -> Study:
    fields = labelling.pop("fields", {"apple": ["apple"], "pear": ["pear"], "by_rules": ["eaten"]})
    return Study.model_validate(
        {
            "name": "fruit",
            "schema_version": labelling.pop("schema_version", "1"),
            "labelling": labelling,
            # Not in the order of the alphabet: answers come in the study's order, rows by name.
            "fields": [
                {"name": name, "definition": f"The note speaks of {name}.", "terms": terms, "ask_models": name != "by_rules"}
                for name, terms in reversed(fields.items())
            ],
        }
    )  # fmt: skip


def entry(**changed: Any) -> ModelEntry:
    known = {
        "name": "fake", "description": "answers by a script", "model": "none", "context_length": 2048, "licence": "none",
        "profile": "demo",
    }  # fmt: skip
    return ModelEntry(**known | changed)


class Fake:
    """A model that finds the names of fields in the text (without heeding "No"), and remembers what it was asked."""

    decoding = "schema_scoring"

    def __init__(self, says: Callable[[str, Answer], Answer] = lambda text, answer: answer, room: int = 1_000) -> None:
        self.says, self.room = says, room
        self.n_opened = self.n_closed = self.n_calls = 0
        self.asked: list[str] = []
        self.drafts: list[tuple[bool, ...] | None] = []
        self._fields: tuple[str, ...] = ()

    @contextlib.contextmanager
    def open(self, question: Question) -> Iterator[Fake]:
        self.n_opened += 1
        self._fields = question.schema.fields
        try:
            yield self
        finally:
            self.n_closed += 1

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        self.n_calls += 1
        for index in reversed(range(len(requests))):
            text = requests[index].text
            self.asked.append(text)
            self.drafts.append(requests[index].draft)
            values = tuple(name in text.lower() for name in self._fields)
            chances = tuple(0.875 if value else 0.125 for value in values)
            yield index, self.says(text, Answer("labelled", values, chances, self.token_count(text), 2, 0.25))

    def token_count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def never_opened(question: Question) -> Any:
    raise AssertionError("the model was opened though nothing is to do")


class Bench:
    """A lake with one batch; notes are numbered from 1."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.n_runs = 0

    def land(self, *texts: str, status: dict[int, str] | None = None) -> None:
        rows = [
            {
                "note_id": k, "person_id": k * 10, "note_date": date(2020, 1, 1), "text": text, "n_chars": len(text),
                "text_sha256": hashlib.sha256(text.encode()).hexdigest(), "status": (status or {}).get(k, "usable"),
                "batch": "b", "source_file_sha256": "f", "ingested_at": datetime.now(UTC),
            }
            for k, text in enumerate(texts, 1)
        ]  # fmt: skip
        self.lake.write("notes/notes", pa.Table.from_pylist(rows, schema=NOTES), NOTES, batch="b")
        self.lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")

    def run(
        self, model: Fake | None, rules: Study | None = None, *, scope: Sequence[int] = range(1, 1_000), revision: str = "r", **changed: Any
    ) -> ModelRun:  # fmt: skip
        self.n_runs += 1
        return label_batch_with_model(
            self.lake, entry(**changed), rules or study(), "b", scope, revision, model.open if model else never_opened,
            run_id=f"run {self.n_runs}", labelled_at=datetime(2024, 1, self.n_runs, tzinfo=UTC), log=lambda line: None,
        )  # fmt: skip

    def rows(self) -> list[dict[str, Any]]:
        return self.lake.read(TABLE, "b").to_pylist()

    def values(self) -> dict[int, dict[str, bool | None]]:
        found: dict[int, dict[str, bool | None]] = {}
        for row in self.rows():
            assert row["field"] not in found.setdefault(row["note_id"], {}), "a field twice"
            found[row["note_id"]][row["field"]] = row["value"]
        return found

    def lasting(self) -> list[dict[str, Any]]:
        """What does not tell when and by which run a row was made."""
        return [{k: v for k, v in row.items() if k not in VOLATILE} for row in self.rows()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Lake(tmp_path / "lake"))


def fresh(bench: Bench, tmp_path: Path, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """What a run over the same notes would write that knows nothing of earlier ones."""
    other = Bench(Lake(tmp_path / "fresh"))
    for table in ("notes/notes", "notes/sections"):
        rows = bench.lake.read(table, "b")
        other.lake.write(table, rows, rows.schema, batch="b")
    other.run(*args, **kwargs)
    return other.lasting()


# --- what is written --------------------------------------------------------------------------------------------------


def test_every_note_in_scope_has_each_asked_field_once_and_no_other(bench: Bench) -> None:
    bench.land(APPLE, PEAR, BOTH, NEITHER)
    model = Fake()
    run = bench.run(model, scope=[1, 3, 4, 77])
    assert bench.values() == {
        1: {"apple": True, "pear": False},
        3: {"apple": True, "pear": True},
        4: {"apple": False, "pear": False},
    }
    keys = [(row["note_id"], row["field"]) for row in bench.rows()]
    assert keys == sorted(keys)
    assert sorted(model.asked) == sorted([APPLE, BOTH, NEITHER])
    assert (run.n_notes, run.n_asked, run.tally.n_computed, run.tally.n_cached) == (3, 3, 3, 0)
    assert run.n_input_tokens == len(APPLE + BOTH + NEITHER)
    assert (run.n_output_tokens, run.model_seconds) == (6, 0.75)
    assert run.by_status == {"labelled": 6}
    assert run.tally.by_field == {
        "apple": {"n_true": 2, "n_false": 1, "n_without_value": 0}, "pear": {"n_true": 1, "n_false": 2, "n_without_value": 0},
    }  # fmt: skip
    assert (model.n_opened, model.n_closed) == (1, 1)


def test_a_row_tells_who_labelled_what_and_which_sentence_speaks_for_it(bench: Bench) -> None:
    bench.land("Came in. No apple, but a pear. Left.")
    bench.run(Fake(), revision="abc", reasoning=True, max_thinking_tokens=9)
    apple, pear = bench.rows()
    question = question_of(study(), entry())
    expected = {
        "labeller": "llm_fake", "model_revision": "abc", "adapter_sha": "", "prompt_sha": question.sha, "schema_version": "1",
        "decoding": "think_9+schema_scoring", "note_id": 1, "person_id": 10, "batch": "b", "value": True, "status": "labelled",
        "probability": 0.875, "n_input_tokens": 36, "n_output_tokens": 2, "seconds": 0.25, "run_id": "run 1",
        "note_sha256": hashlib.sha256(b"Came in. No apple, but a pear. Left.").hexdigest(),
    }  # fmt: skip
    for row in (apple, pear):
        assert {name: row[name] for name in expected} == expected
    assert (apple["mentioned"], apple["asserted"], apple["assertion"], apple["reason"]) == (
        True, False, "negated", "contradicted:negated",
    )  # fmt: skip
    assert (pear["asserted"], pear["reason"]) == (True, "supported")
    assert (
        "Came in. No apple, but a pear. Left."[pear["evidence_start"] : pear["evidence_end"]].strip()
        == "No apple, but a pear."
    )


def test_notes_without_text_are_told_so_and_the_model_is_not_opened_for_them(bench: Bench) -> None:
    bench.land(
        "",
        "apple",
        "see scan of apple",
        "una manzana",
        status={1: "blank", 2: "stub", 3: "scanned_pointer", 4: "not_english"},
    )
    run = bench.run(None)
    assert (run.n_notes, run.n_asked, run.by_status) == (4, 0, {"no_text": 8})
    for row in bench.rows():
        assert {
            row[k] for k in ("value", "probability", "mentioned", "reason", "n_input_tokens", "evidence_start")
        } == {None}
    again = bench.run(None)
    assert (again.tally.n_cached, again.written.digest) == (4, run.written.digest)


def test_an_empty_scope_writes_an_empty_partition(bench: Bench) -> None:
    bench.land(APPLE)
    assert bench.run(None, scope=[]).written.n_rows == 0
    assert bench.lake.has(TABLE, "b")


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_an_unchanged_batch_is_not_asked_again(bench: Bench) -> None:
    bench.land(APPLE, BOTH, "", status={3: "blank"})

    def odd(text: str, answer: Answer) -> Answer:
        return Answer("parse_error", (None, None), (None, None), 5, 1, 0.5, "not_json") if "No" in text else answer

    first = bench.run(Fake(odd))
    before, file = bench.rows(), os.stat(bench.lake.path(TABLE, "b")).st_ino
    again = bench.run(None)
    assert os.stat(bench.lake.path(TABLE, "b")).st_ino == file, "nothing was to be written"
    assert again.by_status == first.by_status
    assert (again.tally.n_computed, again.tally.n_cached, again.n_asked) == (0, 3, 0)
    assert (again.n_input_tokens, again.n_output_tokens, again.model_seconds) == (0, 0, 0.0)
    assert again.written.digest == first.written.digest
    assert bench.rows() == before, "when and by which run a label was made stays too"
    assert {row["run_id"] for row in before} == {"run 1"}


def test_a_changed_text_is_labelled_again_and_no_other(bench: Bench, tmp_path: Path) -> None:
    bench.land(APPLE, PEAR, NEITHER)
    bench.run(Fake())
    bench.land(APPLE, BOTH, NEITHER, PEAR)
    model = Fake()
    run = bench.run(model)
    assert sorted(model.asked) == sorted([BOTH, PEAR])
    assert (run.tally.n_computed, run.tally.n_cached) == (2, 2)
    assert bench.lasting() == fresh(bench, tmp_path, Fake())
    assert {row["note_id"]: row["run_id"] for row in bench.rows()} == {1: "run 1", 2: "run 2", 3: "run 1", 4: "run 2"}


LONG_PROMPT = {"system": "Read it with care.\n{fields}\nSo: {example}", "user": "<note>\n{note}\n</note>"}


@pytest.mark.parametrize(
    "changed",
    [
        {"rules": study(prompt=LONG_PROMPT)},
        {"rules": study(schema_version="2")},
        {"rules": study(overlap=0.2)},
        {"rules": study(cascade=True, audit_share=1.0)},
        {"rules": study(fields={"apple": ["apple"], "pear": ["pear"], "quince": ["quince"]})},
        {"revision": "other"},
        {"decoding": "constrained_generation"},
        {"reasoning": True, "max_thinking_tokens": 3},
    ],
    ids=["prompt", "schema", "overlap", "cascade", "fields", "revision", "decoding", "thinking"],
)
def test_another_question_or_model_labels_every_note_again(bench: Bench, changed: dict[str, Any]) -> None:
    bench.land(APPLE, PEAR)
    bench.run(Fake())
    model = Fake()
    assert bench.run(model, **changed).tally.n_computed == 2
    assert sorted(model.asked) == sorted([APPLE, PEAR])
    assert {row["run_id"] for row in bench.rows()} == {"run 2"}
    assert bench.run(None, **changed).tally.n_computed == 0


def test_another_chat_template_is_another_question_wherever_its_file_lies(tmp_path: Path) -> None:
    first, moved, other = (tmp_path / name for name in ("a.jinja", "b.jinja", "c.jinja"))
    for path, text in ((first, "one"), (moved, "one"), (other, "two")):
        path.write_text(text)
    shas = [question_of(study(), entry(chat_template=str(path))).sha for path in (first, moved, other)]
    assert shas[0] == shas[1] != shas[2]
    assert question_of(study(), entry()).sha not in shas


@pytest.mark.parametrize("rules", [study(draft="rules"), study(audit_share=0.5)], ids=["draft", "audit"])
def test_what_cannot_change_a_label_asks_nobody(bench: Bench, rules: Study) -> None:
    bench.land(APPLE, PEAR)
    bench.run(Fake())
    assert bench.run(None, rules).tally.n_cached == 2


def test_evidence_follows_the_terms_of_the_study_without_asking_the_model(bench: Bench) -> None:
    bench.land("A pome was eaten. An apple too.")
    bench.run(Fake())
    apple, pear = bench.rows()
    assert (apple["reason"], pear["reason"]) == ("supported", None)
    bench.run(None, study(fields={"apple": ["quince"], "pear": ["pome"], "by_rules": ["eaten"]}))
    apple, pear = bench.rows()
    assert (apple["value"], apple["reason"], apple["evidence_start"]) == (True, "unsupported:no_mention", None)
    assert (pear["value"], pear["reason"], pear["mentioned"]) == (False, "rules_affirm", True)


def test_a_note_nobody_answered_is_asked_again_others_are_kept(bench: Bench, tmp_path: Path) -> None:
    bench.land(APPLE, PEAR, BOTH)

    def away(text: str, answer: Answer) -> Answer:
        if text == PEAR:
            return Answer("unavailable", (None, None), (None, None), reason="http_503")
        if text == BOTH:
            return Answer("too_long", (None, None), (None, None), reason="longer_than_context")
        return answer

    run = bench.run(Fake(away))
    assert run.by_status == {"labelled": 2, "too_long": 2, "unavailable": 2}
    assert {(row["status"], row["reason"]) for row in bench.rows() if row["note_id"] == 2} == {
        ("unavailable", "http_503")
    }
    model = Fake(away)
    bench.run(model)
    assert model.asked == [PEAR]
    well = Fake()
    assert bench.run(well).by_status == {"labelled": 4, "too_long": 2}
    assert well.asked == [PEAR]
    assert bench.run(None).tally.n_cached == 3


def test_labels_of_notes_that_left_the_scope_are_kept_as_long_as_their_text_stands(bench: Bench) -> None:
    bench.land(APPLE, PEAR, NEITHER)
    bench.run(Fake())
    run = bench.run(None, scope=[2])
    assert set(bench.values()) == {1, 2, 3}
    assert (run.n_notes, run.tally.n_cached) == (1, 1)
    bench.land("changed", PEAR)
    bench.run(None, scope=[2])
    assert set(bench.values()) == {2}


def test_a_note_whose_status_changed_though_its_text_did_not_is_judged_anew(bench: Bench) -> None:
    bench.land(APPLE, PEAR, status={2: "stub"})
    bench.run(Fake())
    bench.land(APPLE, PEAR, status={1: "stub"})
    model = Fake()
    bench.run(model)
    assert model.asked == [PEAR]
    assert [(row["note_id"], row["status"]) for row in bench.rows()] == [
        (1, "no_text"),
        (1, "no_text"),
        (2, "labelled"),
        (2, "labelled"),
    ]


# --- interruptions ----------------------------------------------------------------------------------------------------


def breaks_at(nth: int, error: Exception) -> Callable[[str, Answer], Answer]:
    seen = iter(range(nth))

    def says(text: str, answer: Answer) -> Answer:
        if next(seen, None) is None:
            raise error
        return answer

    return says


@pytest.mark.parametrize("seconds", [0.0, 3_600.0], ids=["put by after each", "put by at the fault"])
@pytest.mark.parametrize("nth", [1, 2, 4])
def test_what_was_answered_before_a_fault_is_not_asked_again(
    bench: Bench, tmp_path: Path, monkeypatch, seconds: float, nth: int
) -> None:
    monkeypatch.setattr(model_labels, "_PUT_BY_SECONDS", seconds)
    texts = [APPLE, PEAR, BOTH, NEITHER, "An apple and an apple.", ""]
    bench.land(*texts, status={6: "blank"})
    broken = Fake(breaks_at(nth, ServerError("the server is gone")))
    with pytest.raises(ServerError, match="the server is gone"):
        bench.run(broken)
    assert broken.n_closed == 1
    assert not bench.lake.has(TABLE, "b"), "half a batch is never published"
    assert bench.lake.has(SHELF, "b")
    answered = broken.asked[:nth]
    model = Fake()
    run = bench.run(model)
    assert sorted(model.asked) == sorted(set(texts[:5]) - set(answered))
    assert (run.tally.n_computed, run.tally.n_cached) == (5 - nth, nth + 1)
    assert bench.lasting() == fresh(bench, tmp_path, Fake())
    assert not bench.lake.has(SHELF, "b")
    assert bench.lake.tables("labels_put_by", "llm_") == [SHELF]
    assert bench.lake.batches(SHELF) == []


def test_a_fault_leaves_the_old_partition_as_it_is(bench: Bench) -> None:
    bench.land(APPLE, PEAR)
    bench.run(Fake())
    before = bench.rows()
    bench.land(BOTH, PEAR, NEITHER)
    with pytest.raises(ServerError):
        bench.run(Fake(breaks_at(1, ServerError("gone"))))
    assert bench.rows() == before


def test_a_model_that_cannot_be_opened_leaves_nothing(bench: Bench) -> None:
    bench.land(APPLE)

    def fails(question: Question) -> Any:
        raise ModelError("model 'fake': the folder is empty")

    with pytest.raises(ModelError, match="the folder is empty"):
        label_batch_with_model(
            bench.lake, entry(), study(), "b", [1], "r", fails, run_id="x", labelled_at=datetime.now(UTC), log=print
        )
    assert not bench.lake.has(TABLE, "b")
    assert bench.lake.tables("labels_put_by", "") == []


def test_what_was_put_by_for_another_question_is_not_taken(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(model_labels, "_PUT_BY_SECONDS", 0.0)
    bench.land(APPLE, PEAR, BOTH)
    with pytest.raises(ServerError):
        bench.run(Fake(breaks_at(2, ServerError("gone"))))
    model = Fake()
    bench.run(model, revision="other")
    assert len(model.asked) == 3


def test_what_was_put_by_for_another_question_costs_the_old_labels_nothing(bench: Bench) -> None:
    bench.land(APPLE, PEAR, BOTH)
    bench.run(Fake())
    with pytest.raises(ServerError):
        bench.run(Fake(breaks_at(2, ServerError("gone"))), revision="other")
    assert bench.lake.has(SHELF, "b")
    assert bench.run(None).tally.n_cached == 3
    assert not bench.lake.has(SHELF, "b")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"cannot tokenize {CANARY}"),
        ValueError(f"bad text {CANARY}"),
        KeyError(CANARY),
        UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY),
        pa.ArrowInvalid(f"could not convert {CANARY}"),
        TypeError(CANARY),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_message_of_an_error_carries_text_of_a_note(bench: Bench, error: Exception) -> None:
    bench.land(f"{CANARY} ate an apple.")
    with pytest.raises(StepError) as caught:
        bench.run(Fake(breaks_at(0, error)))
    said = "".join(traceback.format_exception(caught.value))
    assert CANARY not in said
    assert type(error).__name__ in str(caught.value)


@pytest.mark.parametrize("kind", [ModelError, ServerError, DeviceError])
def test_messages_of_our_own_errors_pass(bench: Bench, kind: type[Exception]) -> None:
    bench.land(APPLE)
    with pytest.raises(kind, match="do this"):
        bench.run(Fake(breaks_at(0, kind("do this"))))


def test_a_context_that_leaves_no_room_for_a_note_is_said_in_plain_words(bench: Bench) -> None:
    bench.land(APPLE)
    with pytest.raises(ModelError, match=r"leave 0 tokens for the note; at least 8 .*raise context_length"):
        bench.run(Fake(room=0))


def test_many_notes_are_asked_a_group_at_a_time(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(model_labels, "_AT_ONCE", 2)
    bench.land(APPLE, PEAR, BOTH, NEITHER, "pear")
    model = Fake()
    bench.run(model)
    assert (model.n_opened, model.n_calls, len(model.asked)) == (1, 3, 5)
    assert set(bench.values()) == {1, 2, 3, 4, 5}


# --- long notes, drafts -----------------------------------------------------------------------------------------------

LONG = (
    "".join(f"{k:02} nothing of note here.\n" for k in range(20))
    + "An apple.\n"
    + "".join(f"{k:02} nor here.\n" for k in range(20))
)


def test_a_long_note_is_asked_in_parts_and_answered_as_one(bench: Bench) -> None:
    bench.land(PEAR, LONG)
    model = Fake(room=200)
    run = bench.run(model)
    parts = [text for text in model.asked if text != PEAR]
    assert len(parts) > 3
    assert all(len(text) <= 200 and text in LONG for text in parts)
    assert set("".join(parts).splitlines()) == set(LONG.splitlines())
    assert bench.values()[2] == {"apple": True, "pear": False}
    rows = [row for row in bench.rows() if row["note_id"] == 2]
    assert {row["n_input_tokens"] for row in rows} == {sum(map(len, parts))}
    assert {row["n_output_tokens"] for row in rows} == {2 * len(parts)}
    assert rows[0]["seconds"] == 0.25 * len(parts)
    evidence = LONG[rows[0]["evidence_start"] : rows[0]["evidence_end"]]
    assert evidence.strip() == "An apple.", "evidence is of the note, not of a part"
    assert (run.n_asked, run.n_output_tokens) == (2, 2 * len(parts) + 2)
    assert bench.run(None).tally.n_cached == 2


def test_a_part_that_fails_leaves_no_value_but_what_is_true_elsewhere(bench: Bench) -> None:
    bench.land(LONG)

    def last(text: str, answer: Answer) -> Answer:
        return Answer("truncated", (None, None), (None, None), reason="no_end") if "19 nor" in text else answer

    bench.run(Fake(last, room=200))
    apple, pear = bench.rows()
    assert (apple["value"], apple["status"], apple["reason"]) == (True, "labelled", "supported;no_end")
    assert (pear["value"], pear["status"], pear["probability"], pear["reason"]) == (None, "truncated", None, "no_end")
    assert pear["mentioned"] is None
    before = bench.rows()
    bench.run(None)
    assert bench.rows() == before


def test_parts_begin_at_the_sections_of_the_note(bench: Bench) -> None:
    text = "History:\n" + "It was so.\n" * 15 + "Plan:\n" + "It will be.\n" * 10
    bench.land(text)
    sha = hashlib.sha256(text.encode()).hexdigest()
    rows = [
        {"note_id": 1, "text_sha256": sha, "section_index": k, "section": name, "heading_start": start, "body_start": start + 6, "body_end": end, "batch": "b"}
        for k, (name, start, end) in enumerate([("history_of_present_illness", 0, text.index("Plan:")), ("plan", text.index("Plan:"), len(text))])
    ]  # fmt: skip
    bench.lake.write("notes/sections", pa.Table.from_pylist(rows, schema=SECTIONS), SECTIONS, batch="b")
    model = Fake(room=220)
    bench.run(model, study(overlap=0.0))
    assert any(part.startswith("Plan:") for part in model.asked)


@pytest.mark.parametrize(("draft", "expected"), [("rules", (True, False)), ("all_false", None)])
def test_the_rules_draft_the_answer_where_the_study_says_so(bench: Bench, draft: str, expected: Any) -> None:
    bench.land(BOTH)  # in the order of the study: pear, apple; the apple is denied
    model = Fake()
    bench.run(model, study(draft=draft))
    assert model.drafts == [expected]


# --- the cascade ------------------------------------------------------------------------------------------------------


def imagines(text: str, answer: Answer) -> Answer:
    """Says true of everything."""
    return Answer("labelled", (True, True), (0.9, 0.9), 7, 2, 0.25)


def cascade(**labelling: Any) -> Study:
    return study(cascade=True, **{"audit_share": 1e-9} | labelling)


def test_with_the_cascade_a_field_without_a_mention_is_false_without_asking(bench: Bench) -> None:
    bench.land(APPLE, NEITHER, BOTH, "", status={4: "blank"})
    model = Fake(imagines)
    run = bench.run(model, cascade())
    assert sorted(model.asked) == sorted([APPLE, BOTH]), "a note without any mention never reaches the model"
    assert (run.n_asked, run.tally.n_computed) == (2, 4)
    rows = {(row["note_id"], row["field"]): row for row in bench.rows()}
    for key in ((1, "pear"), (2, "apple"), (2, "pear")):
        row = rows[key]
        assert (row["value"], row["status"], row["reason"], row["probability"], row["mentioned"]) == (
            False, "labelled", "cascade:no_mention", None, False,
        )  # fmt: skip
    assert rows[1, "apple"]["value"] is True
    assert rows[3, "apple"]["reason"] == "contradicted:negated"
    assert {row["decoding"] for row in bench.rows()} == {"cascade+schema_scoring"}
    before = bench.rows()
    assert bench.run(None, cascade()).tally.n_cached == 4
    assert bench.rows() == before


def test_a_batch_without_a_mention_does_not_open_the_model(bench: Bench) -> None:
    bench.land(NEITHER, "Nothing at all.")
    bench.run(None, cascade())
    assert {row["value"] for row in bench.rows()} == {False}


def test_an_audited_note_is_read_by_the_model_whatever_its_terms(bench: Bench) -> None:
    bench.land(*[f"{NEITHER} {k}" for k in range(40)])
    model = Fake(imagines)
    bench.run(model, cascade(audit_share=0.3))
    sample = {k for k in range(1, 41) if audited(k, 0.3)}
    assert 0 < len(sample) < 40
    assert sorted(model.asked) == sorted(f"{NEITHER} {k - 1}" for k in sample)
    assert {note_id for note_id, said in bench.values().items() if said["apple"]} == sample
    assert {row["reason"] for row in bench.rows() if row["note_id"] in sample} == {"unsupported:no_mention"}


def test_a_note_that_leaves_the_audit_sample_is_settled_without_the_model(bench: Bench) -> None:
    bench.land(*[f"{NEITHER} {k}" for k in range(40)])
    bench.run(Fake(imagines), cascade(audit_share=0.3))
    bench.run(None, cascade())
    assert {(row["value"], row["reason"]) for row in bench.rows()} == {(False, "cascade:no_mention")}


def test_the_audit_sample_is_the_same_for_ever_and_about_as_large_as_asked() -> None:
    chosen = [k for k in range(20_000) if audited(k, 0.05)]
    assert 850 < len(chosen) < 1_150
    assert chosen[:5] == [11, 56, 57, 71, 104]
    assert set(chosen) < {k for k in range(20_000) if audited(k, 0.2)}, "a larger share holds the smaller one"
    assert all(audited(k, 1.0) for k in range(2_000))


def test_a_model_that_fails_on_what_is_mentioned_does_not_unsettle_the_rest(bench: Bench) -> None:
    bench.land(APPLE)
    bench.run(
        Fake(lambda text, answer: Answer("parse_error", (None, None), (None, None), reason="not_json")), cascade()
    )
    assert [(r["field"], r["value"], r["status"], r["reason"]) for r in bench.rows()] == [
        ("apple", None, "parse_error", "not_json"),
        ("pear", False, "labelled", "cascade:no_mention"),
    ]
    before = bench.rows()
    bench.run(None, cascade())
    assert bench.rows() == before


def test_a_term_that_is_new_asks_about_the_notes_that_hold_it(bench: Bench, tmp_path: Path) -> None:
    bench.land(APPLE, "A conference was held.", NEITHER)
    bench.run(Fake(imagines), cascade())
    wider = cascade(fields={"apple": ["apple"], "pear": ["pear", "conference"], "by_rules": ["eaten"]})
    model = Fake(imagines)
    bench.run(model, wider)
    assert model.asked == ["A conference was held."]
    assert bench.values()[2] == {"apple": False, "pear": True}
    assert bench.lasting() == fresh(bench, tmp_path, Fake(imagines), wider)
    assert not [row for row in bench.rows() if row["mentioned"] and row["reason"] == "cascade:no_mention"]


def test_a_term_that_is_gone_settles_the_field_without_asking(bench: Bench) -> None:
    bench.land(BOTH)
    bench.run(Fake(imagines), cascade())
    assert bench.values()[1] == {"apple": True, "pear": True}
    bench.run(None, cascade(fields={"apple": ["apple"], "pear": ["conference"], "by_rules": ["eaten"]}))
    apple, pear = bench.rows()
    assert (apple["value"], apple["probability"]) == (True, pytest.approx(0.9))
    assert (pear["value"], pear["probability"], pear["reason"]) == (False, None, "cascade:no_mention")


def test_a_larger_audit_sample_reads_the_notes_that_joined_it(bench: Bench) -> None:
    texts = [f"{NEITHER} {k}" for k in range(40)]
    bench.land(*texts)
    bench.run(Fake(), cascade(audit_share=0.1))
    model = Fake()
    bench.run(model, cascade(audit_share=0.5))
    joined = {k for k in range(1, 41) if audited(k, 0.5) and not audited(k, 0.1)}
    assert sorted(model.asked) == sorted(texts[k - 1] for k in joined)
