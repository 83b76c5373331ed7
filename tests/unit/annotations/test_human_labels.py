"""Versions of answers: what is new, what stands, what is withdrawn, and what contradicts itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pytest

from clinical_assets.annotations.adjudication import adjudicate
from clinical_assets.annotations.claims import CLAIMS
from clinical_assets.annotations.human_labels import update_labels
from clinical_assets.annotations.landed import Landed
from clinical_assets.storage.contracts import HUMAN_LABELS

NEW, OLD, LANDED = (hashlib.sha256(word).hexdigest() for word in (b"new", b"old", b"as landed"))
TEXTS = pd.DataFrame(
    [(1, NEW, NEW, 10, True), (1, LANDED, NEW, 10, True), (1, OLD, OLD, 10, False), (2, NEW, NEW, 20, True)],
    columns=["note_id", "digest", "text_sha256", "person_id", "is_current"],
)
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 10)]


def claim(
    value: bool,
    *,
    note: int = 1,
    who: str = "anna",
    sha: str = NEW,
    at: datetime | None = None,
    file: str = "a.json",
    field: str = "f",
) -> dict:
    return {
        "note_id": note, "text_sha256": sha, "annotator": who, "field": field, "value": value, "answered_at": at,
        "source_file": file, "source_format": "json", "source_sha256": f"digest of {file}",
    }  # fmt: skip


def look(before: pa.Table | None, *claims: dict, now: datetime = DAYS[0]):
    schema = CLAIMS
    for name in ("source_file", "source_format", "source_sha256"):
        schema = schema.append(pa.field(name, pa.string()))
    return update_labels(Landed(pa.Table.from_pylist(list(claims), schema=schema)), TEXTS, before, now=now)


def versions(found) -> list[tuple]:
    return [(row["annotator"], row["version"], row["value"], row["is_current"]) for row in found.table.to_pylist()]


def reasons(found) -> dict[str, int]:
    return {one.reason: one.n for one in found.rejects}


def test_the_same_files_again_change_nothing() -> None:
    claims = [claim(True), claim(False, who="ben", at=DAYS[3]), claim(True, note=2, file="b.json")]
    first = look(None, *claims)
    again = look(first.table, *reversed(claims), now=DAYS[5])
    assert again.table.equals(first.table)
    assert (first.n_new, again.n_new) == (3, 0)
    assert set(first.table["first_seen_at"].to_pylist()) == {DAYS[0]}
    assert first.table.schema.equals(HUMAN_LABELS)


def test_a_changed_answer_is_a_new_version_and_the_old_one_is_kept() -> None:
    first = look(None, claim(True))
    second = look(first.table, claim(False), now=DAYS[1])
    assert versions(second) == [("anna", 1, True, False), ("anna", 2, False, True)]
    back = look(second.table, claim(True), now=DAYS[2])
    assert versions(back) == [("anna", 1, True, True), ("anna", 2, False, False)]


def test_an_answer_in_no_file_any_more_is_withdrawn_and_kept() -> None:
    first = look(None, claim(True), claim(True, who="ben"))
    assert versions(look(first.table, claim(True))) == [("anna", 1, True, True), ("ben", 1, True, False)]


def test_the_later_answer_counts_whatever_file_it_stands_in() -> None:
    claims = [claim(True, at=DAYS[4], file="a.json"), claim(False, at=DAYS[2], file="b.json")]
    assert versions(look(None, *claims)) == [("anna", 1, False, False), ("anna", 2, True, True)]
    late = look(look(None, claims[0]).table, *claims, now=DAYS[6])
    assert versions(late) == [("anna", 1, True, True), ("anna", 2, False, False)]


def test_contradictions_without_a_time_are_refused_both() -> None:
    found = look(None, claim(True), claim(False), claim(True, who="ben"))
    assert versions(found) == [("ben", 1, True, True)]
    assert reasons(found) == {"contradictory_duplicate": 2}
    found = look(None, claim(True), claim(False, file="b.json"))
    assert versions(found) == []
    assert [(one.source_file, one.n) for one in found.rejects] == [("a.json", 1), ("b.json", 1)]
    # what was known before is older than what is new in another file
    known = look(None, claim(True))
    assert versions(look(known.table, claim(True), claim(False, file="b.json"), now=DAYS[1])) == [
        ("anna", 1, True, False),
        ("anna", 2, False, True),
    ]


def test_duplicates_that_agree_are_one_answer() -> None:
    found = look(None, claim(True), claim(True), claim(True, file="b.json"))
    assert versions(found) == [("anna", 1, True, True)]
    assert found.table["source_file"].to_pylist() == ["a.json"]
    assert reasons(found) == {}


def test_unknown_notes_and_changed_texts_are_refused_and_the_landed_digest_is_known() -> None:
    found = look(
        None, claim(True, note=99), claim(True, sha="0" * 64), claim(True, sha=LANDED), claim(False, sha=OLD, who="ben")
    )
    assert reasons(found) == {"unknown_note": 1, "text_changed": 1}
    assert {(row["annotator"], row["text_sha256"], row["person_id"]) for row in found.table.to_pylist()} == {
        ("anna", NEW, 10),
        ("ben", OLD, 10),
    }
    assert "99" in next(one.detail for one in found.rejects if one.reason == "unknown_note")


def settled(*claims: dict, adjudicators: tuple[str, ...] = ()) -> dict:
    rows = adjudicate(look(None, *claims).table, TEXTS, adjudicators).to_pylist()
    return {(row["note_id"], row["field"]): (row["value"], row["status"], row["n_annotators"]) for row in rows}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"anna": True}, (True, "single", 1)),
        ({"boss": False}, (False, "single", 1)),
        ({"anna": False, "ben": False}, (False, "agreed", 2)),
        ({"anna": True, "ben": False}, (None, "disagreed", 2)),
        ({"anna": True, "ben": False, "boss": False}, (False, "adjudicated", 3)),
        ({"anna": True, "boss": False}, (False, "adjudicated", 2)),
        ({"anna": True, "ben": True, "boss": True}, (True, "agreed", 3)),
        ({"anna": True, "boss": True, "chief": False}, (None, "disagreed", 3)),
    ],
)
def test_adjudication(answers: dict[str, bool], expected: tuple) -> None:
    claims = [claim(value, who=who) for who, value in answers.items()]
    assert settled(*claims, adjudicators=("boss", "chief")) == {(1, "f"): expected}


def test_only_current_answers_on_the_current_text_count() -> None:
    assert settled(claim(False, sha=OLD, who="ben"), claim(True)) == {(1, "f"): (True, "single", 1)}
    assert settled(claim(True, at=DAYS[1]), claim(False, at=DAYS[2])) == {(1, "f"): (False, "single", 1)}
    assert settled() == {}
