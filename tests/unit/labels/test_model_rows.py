"""Answers become rows of the ledger and come back as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.evidence import EvidenceFinder, FieldEvidence
from clinical_assets.labels.model_rows import CASCADE, Answered, answered_rows, answers_of, finished_rows
from clinical_assets.language_models.answers import Answer, AnswerSchema
from clinical_assets.storage.contracts import LABELS
from clinical_assets.study.model import Study

SCHEMA = AnswerSchema(("pear", "apple", "quince"))
IDENTITY = {
    "labeller": "llm_fake", "model_revision": "r", "adapter_sha": "", "prompt_sha": "p", "schema_version": "1", "decoding": "d",
}  # fmt: skip
NOW = datetime(2024, 5, 1, tzinfo=UTC)
STUDY = Study.model_validate(
    {
        "name": "fruit", "schema_version": "1",
        "fields": [{"name": name, "definition": "A definition.", "terms": [name]} for name in SCHEMA.fields],
    }
)  # fmt: skip
FINDER = EvidenceFinder(STUDY)
MENTIONED = {
    "apple": FieldEvidence(True, False, "negated", 3, 9),
    "pear": FieldEvidence(True, True, "affirmed", 10, 20),
}


def table(
    answered: dict[int, Answered], evidence: Any = lambda note_id: MENTIONED, at: datetime = NOW, run: str = "r1"
) -> pa.Table:
    notes = pa.table(
        {"note_id": [3, 1, 2], "person_id": [30, 10, 20], "text_sha256": ["s3", "s1", "s2"], "batch": ["b"] * 3}
    )
    return finished_rows(answered_rows(notes, answered, IDENTITY, SCHEMA, run, at), evidence, FINDER)


def column(rows: pa.Table, *names: str) -> list[Any]:
    return [tuple(row[name] for name in names) for row in rows.to_pylist()]


def test_rows_come_by_note_and_field_and_only_of_notes_that_were_answered() -> None:
    answer = Answered(Answer("labelled", (True, False, None), (0.75, 0.25, None)))
    rows = table({3: answer, 1: answer})
    assert rows.schema.equals(LABELS)
    assert column(rows, "note_id", "field", "person_id", "note_sha256") == [
        (1, "apple", 10, "s1"), (1, "pear", 10, "s1"), (1, "quince", 10, "s1"),
        (3, "apple", 30, "s3"), (3, "pear", 30, "s3"), (3, "quince", 30, "s3"),
    ]  # fmt: skip
    assert column(rows, "value")[:2] == [(False,), (True,)]


def test_evidence_stands_beside_labels_and_not_beside_failures() -> None:
    rows = table({1: Answered(Answer("truncated", (True, True, None), (0.9, 0.8, None), reason="no_end"))})
    assert column(rows, "field", "value", "status", "reason", "mentioned", "assertion", "evidence_start") == [
        ("apple", True, "labelled", "contradicted:negated;no_end", True, "negated", 3),
        ("pear", True, "labelled", "supported;no_end", True, "affirmed", 10),
        ("quince", None, "truncated", "no_end", None, None, None),
    ]


def test_where_the_rules_took_too_long_evidence_is_unknown_not_absent() -> None:
    rows = table({1: Answered(Answer("labelled", (True, False, False), (None,) * 3))}, evidence=lambda note_id: None)
    assert column(rows, "field", "reason", "mentioned") == [
        ("apple", None, None), ("pear", "evidence_timeout", None), ("quince", None, None),
    ]  # fmt: skip


def test_settled_fields_show_no_answer_of_the_model() -> None:
    answer = Answer("labelled", (True, True, True), (0.9, 0.9, 0.9), reason="thought_cut")
    rows = table({1: Answered(answer, (False, False, True))})
    assert column(rows, "field", "value", "probability", "reason")[2] == ("quince", False, None, CASCADE)


answers = st.builds(
    lambda status, values, chances, reason, tokens: Answer(
        status if None in values else "labelled",
        values,
        tuple(None if value is None else chance for value, chance in zip(values, chances, strict=True)),
        tokens,
        tokens,
        0.5,
        reason if None not in values or reason else "why",
    ),
    st.sampled_from(["parse_error", "truncated", "too_long"]),
    st.tuples(*[st.sampled_from([True, False, None])] * 3),
    st.tuples(*[st.sampled_from([None, 0.25, 0.75])] * 3),
    st.sampled_from([None, "thought_cut", "trailing_text", "http_413"]),
    st.sampled_from([None, 7]),
)
settled = st.one_of(st.none(), st.tuples(*[st.booleans()] * 3))
stands = st.one_of(
    st.builds(Answered, answers, settled),
    st.just(Answered.without_text(SCHEMA)),
    st.just(Answered.unmentioned_fields(SCHEMA)),
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([1, 2, 3]), stands), st.sampled_from([MENTIONED, {}, None]))
def test_what_is_read_back_writes_the_same_rows_again(answered: dict[int, Answered], evidence: Any) -> None:
    first = table(answered, lambda note_id: evidence)
    back = answers_of(first, SCHEMA)
    assert set(back) == set(answered)
    # Later, by another run: when and by whom a label was made stays.
    assert table(back, lambda note_id: evidence, NOW.replace(year=2030), "r2").equals(first)


def test_evidence_is_judged_anew_and_the_backends_own_words_stay() -> None:
    first = table({1: Answered(Answer("labelled", (True, True, True), (None,) * 3, reason="thought_cut"))})
    again = table(answers_of(first, SCHEMA), lambda note_id: {})
    assert column(first, "reason")[1] == ("supported;thought_cut",)
    assert set(column(again, "reason")) == {("unsupported:no_mention;thought_cut",)}


def test_answers_that_lack_a_field_have_one_too_many_or_never_came_are_left_out() -> None:
    answer = Answered(Answer("labelled", (True, False, True), (None,) * 3))
    away = Answered(Answer("unavailable", (True, None, None), (None,) * 3, reason="http_503"))
    rows = table({1: answer, 2: answer, 3: away})
    assert set(answers_of(rows, SCHEMA)) == {1, 2}
    assert set(answers_of(rows.slice(1), SCHEMA)) == {2}
    assert answers_of(rows, AnswerSchema(("pear", "apple"))) == {}
    assert answers_of(LABELS.empty_table(), SCHEMA) == {}


@pytest.mark.parametrize("n", [1, 3])
def test_a_note_without_text_and_one_without_mentions(n: int) -> None:
    schema = AnswerSchema(SCHEMA.fields[:n])
    assert Answered.without_text(schema).answer.values == (None,) * n
    assert Answered.unmentioned_fields(schema).answer.values == (False,) * n
