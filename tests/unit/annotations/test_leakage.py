"""Leaks that the checks must find, in counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from clinical_assets.annotations import leakage
from clinical_assets.annotations.leakage import near_duplicates, near_duplicates_across, straddling
from clinical_assets.annotations.shortfalls import one_sided_fields, rejects_by_reason
from clinical_assets.storage.contracts import ANNOTATION_REJECTS, NOTES, SPLITS
from clinical_assets.storage.lake import Lake

WORDS = [f"word{i}" for i in range(100)]
LONG = " ".join(WORDS)
EDITED = " ".join([*WORDS[:50], "changed", *WORDS[51:]])  # 5 of 96 shingles differ
OTHER = " ".join(reversed(WORDS))


def splits(*rows: tuple[int, int, str, str]) -> pa.Table:
    common = {
        "group_id": 0,
        "reason": None,
        "seed": 0,
        "assigned_at": datetime(2026, 1, 1, tzinfo=UTC),
        "is_annotated": True,
    }
    return pa.Table.from_pylist(
        [{"note_id": n, "person_id": p, "text_sha256": t, "split": s} | common for n, p, t, s in rows], schema=SPLITS
    )


def test_a_person_or_text_in_two_splits_is_counted_and_excluded_notes_are_not() -> None:
    found = straddling(
        splits(
            (1, 1, "a", "train"),
            (2, 1, "b", "test"),
            (3, 2, "a", "test"),
            (4, 3, "c", "train"),
            (5, 3, "d", "excluded"),
            (6, 4, "c", "excluded"),
        )
    )
    assert (found.n_persons, found.n_texts, found.n_notes) == (1, 1, 4)


def test_nearly_the_same_text_is_found_and_another_order_of_words_is_not() -> None:
    assert near_duplicates_across([EDITED, OTHER], [LONG]) == 1
    assert near_duplicates_across([OTHER], [LONG, EDITED]) == 0
    assert near_duplicates_across([], [LONG]) == near_duplicates_across([LONG], []) == 0
    assert near_duplicates_across(["too short"], ["too short"]) == 0


def lake_of(tmp_path, texts: dict[str, str]) -> Lake:
    lake = Lake(tmp_path / "lake")
    common = dict.fromkeys(NOTES.names) | {
        "person_id": 1, "note_date": datetime(2020, 1, 1).date(), "n_chars": 1, "status": "usable", "batch": "b", "source_file_sha256": "x",
        "ingested_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    rows = [common | {"note_id": i, "text": text, "text_sha256": sha} for i, (sha, text) in enumerate(texts.items())]
    lake.write("notes/notes", pa.Table.from_pylist(rows, schema=NOTES), NOTES, batch="b")
    return lake


def test_texts_of_test_are_compared_with_train_and_validation(tmp_path, monkeypatch) -> None:
    lake = lake_of(tmp_path, {"a": LONG, "b": EDITED, "c": OTHER, "d": OTHER + " more"})
    table = splits((1, 1, "a", "train"), (2, 2, "b", "test"), (3, 3, "c", "validation"), (4, 4, "d", "test"))
    found = near_duplicates(table, lake)
    assert (found.n_near, found.n_compared, found.n_notes) == (2, 3, 3)
    monkeypatch.setattr(leakage, "SAMPLE", 2)
    found = near_duplicates(table, lake)
    assert (found.n_near, found.n_compared, found.n_notes) == (1, 2, 3)
    assert near_duplicates(splits((1, 1, "a", "train")), lake).n_compared == 0


def test_fields_answered_one_way_are_named_with_counts() -> None:
    labels = pa.table({"field": ["a", "a", "b", "b", "c", "c"], "value": [True, False, False, False, True, None]})
    assert one_sided_fields(labels, ["a", "b", "c", "never_asked"]) == {
        "b": {"n_true": 0, "n_false": 2},
        "c": {"n_true": 1, "n_false": 0},
    }


def test_rejects_are_summed_by_reason_with_a_mend_a_line() -> None:
    row = {"source_sha256": "", "source_format": None, "detail": "Mend it."}
    table = pa.Table.from_pylist(
        [
            row | {"source_file": f"f{i}", "reason": "positional" if i else "unknown_note", "n": i + 1}
            for i in range(30)
        ],
        schema=ANNOTATION_REJECTS,
    )
    counts, lines = rejects_by_reason(table)
    assert counts == {"positional": sum(range(2, 31)), "unknown_note": 1}
    assert len(lines) == 21
    assert lines[0] == "f0: unknown_note, 1. Mend it."
    assert lines[-1] == "and 10 more"
