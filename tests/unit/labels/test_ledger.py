"""The ledger: nothing is labelled twice, and nothing is carried over that is not the same label."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.batch import label_batch
from clinical_assets.labels.coverage import coverage_of
from clinical_assets.labels.ledger import LabelTally, label_chunks
from clinical_assets.storage.contracts import LABELS, NOTES
from clinical_assets.storage.lake import Lake

IDENTITY = {
    "labeller": "regex",
    "model_revision": "1",
    "adapter_sha": "",
    "prompt_sha": "p",
    "schema_version": "1",
    "decoding": "rules",
}


def notes_table(texts: dict[int, str]) -> pa.Table:
    rows = [
        {
            "note_id": note_id, "person_id": note_id * 10, "note_date": datetime(2020, 1, 1).date(), "text": text, "text_sha256": f"sha-{text}",
            "n_chars": len(text), "status": "usable", "batch": "b", "source_file_sha256": "f", "ingested_at": datetime.now(UTC),
        }
        for note_id, text in texts.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=NOTES)


class Labeller:
    """Says true where the text has an x; remembers what it was asked."""

    def __init__(self, identity=IDENTITY, run_id: str = "r") -> None:
        self.asked: list[int] = []
        self.identity, self.run_id = identity, run_id

    def __call__(self, notes: pa.Table) -> pa.Table:
        self.asked += notes["note_id"].to_pylist()
        rows = [
            {
                **self.identity, "note_id": row["note_id"], "note_sha256": row["text_sha256"], "person_id": row["person_id"], "batch": "b", "field": field,
                "value": "x" in row["text"], "status": "labelled", "labelled_at": datetime.now(UTC), "run_id": self.run_id,
            }
            for row in notes.to_pylist() for field in ("f", "g")
        ]  # fmt: skip
        return pa.Table.from_pylist(rows, schema=LABELS)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def run(lake: Lake, texts: dict[int, str], labeller: Labeller, identity=IDENTITY, chunk: int = 2):
    lake.write("notes/notes", notes_table(texts), NOTES, batch="b")
    return label_batch(lake, "labels/regex", "b", identity, labeller, print, chunk=chunk)


def test_an_unchanged_batch_is_not_labelled_again(lake: Lake) -> None:
    texts = {1: "ax", 2: "b", 3: "cx"}
    first = run(lake, texts, Labeller(run_id="r1"))
    again_labeller = Labeller(run_id="r2")
    again = run(lake, texts, again_labeller)
    assert (first.tally.n_computed, first.tally.n_cached) == (3, 0)
    assert (again.tally.n_computed, again.tally.n_cached, again_labeller.asked) == (0, 3, [])
    assert first.written.digest == again.written.digest
    assert set(lake.read("labels/regex", "b")["run_id"].to_pylist()) == {"r1"}


def test_only_new_and_changed_notes_are_labelled_and_labels_of_old_texts_go(lake: Lake) -> None:
    run(lake, {1: "ax", 2: "b", 3: "c"}, Labeller())
    labeller = Labeller()
    done = run(lake, {1: "ax", 2: "b changed x", 4: "new"}, labeller)
    assert sorted(labeller.asked) == [2, 4]
    labels = lake.read("labels/regex", "b")
    assert sorted(set(zip(labels["note_id"].to_pylist(), labels["value"].to_pylist(), strict=True))) == [
        (1, True),
        (2, True),
        (4, False),
    ]
    assert done.tally.by_field["f"] == {"n_true": 2, "n_false": 1, "n_without_value": 0}


@pytest.mark.parametrize("column", sorted(IDENTITY))
def test_any_change_of_identity_labels_everything_again(lake: Lake, column: str) -> None:
    run(lake, {1: "ax", 2: "b"}, Labeller())
    other = IDENTITY | {column: "other"}
    labeller = Labeller(other)
    run(lake, {1: "ax", 2: "b"}, labeller, other)
    assert sorted(labeller.asked) == [1, 2]
    assert set(lake.read("labels/regex", "b")[column].to_pylist()) == {"other"}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.integers(0, 20), st.sampled_from(["a", "x", "bx"])),
    st.dictionaries(st.integers(0, 20), st.sampled_from(["a", "x", "bx"])),
    st.integers(1, 7),
)
def test_carrying_over_gives_what_labelling_from_scratch_gives(before, after, chunk) -> None:
    def go(texts, existing):
        table = notes_table(texts)
        chunks = (table.slice(i, chunk) for i in range(0, table.num_rows, chunk))
        parts = list(label_chunks(chunks, existing, IDENTITY, Labeller(), LabelTally()))
        return pa.concat_tables(parts) if parts else LABELS.empty_table()

    def said(table: pa.Table):
        return table.drop_columns(["labelled_at", "run_id"]).to_pylist()

    assert said(go(after, go(before, None))) == said(go(after, None))


def test_coverage_counts_orphans_and_gaps() -> None:
    notes = pa.table({"note_id": [1, 2], "text_sha256": ["a", "b"]})
    whole = pa.table({"note_id": [1, 1, 2, 2], "note_sha256": ["a", "a", "b", "b"], "field": ["f", "g", "f", "g"]})
    assert coverage_of(whole, notes, ["f", "g"]).__dict__ == {"n_orphan_labels": 0, "n_missing_labels": 0}
    assert coverage_of(whole.slice(0, 3), notes, ["f", "g"]).n_missing_labels == 1
    stale = pa.table({"note_id": [1, 1, 2, 2], "note_sha256": ["a", "a", "OLD", "OLD"], "field": ["f", "g", "f", "g"]})
    assert coverage_of(stale, notes, ["f", "g"]).__dict__ == {"n_orphan_labels": 2, "n_missing_labels": 2}
