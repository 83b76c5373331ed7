"""Notes and the shipped study, for the tests of the labellers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.labels.regex_labels import label_notes, label_notes_seed
from clinical_assets.storage.contracts import SECTIONS
from clinical_assets.study.load import load_study
from clinical_assets.study.model import Study

STAMP: dict[str, Any] = {"run_id": "test", "labelled_at": datetime(2024, 5, 1, tzinfo=UTC)}


def notes_table(texts: Sequence[str | None], statuses: Sequence[str] | None = None) -> pa.Table:
    """Return a notes table with ids 1..n."""
    n = len(texts)
    return pa.table(
        {
            "note_id": pa.array(range(1, n + 1), pa.int64()),
            "person_id": pa.array(range(101, 101 + n), pa.int64()),
            "text": pa.array(texts, pa.large_string()),
            "text_sha256": pa.array(
                [hashlib.sha256((text or "").encode("utf-8", "replace")).hexdigest() for text in texts]
            ),
            "status": pa.array(statuses or ["usable"] * n, pa.string()),
            "batch": pa.array(["b"] * n, pa.string()),
        }
    )


def sections_table(rows: Sequence[tuple[int, str, int, int, int]], notes: pa.Table) -> pa.Table:
    """Return a SECTIONS table from (note_id, section, heading_start, body_start, body_end)."""
    shas = dict(zip(notes["note_id"].to_pylist(), notes["text_sha256"].to_pylist(), strict=True))
    return pa.Table.from_pylist(
        [
            {
                "note_id": note, "text_sha256": shas[note], "section_index": index, "section": name,
                "heading_start": heading, "body_start": body, "body_end": end, "batch": "b",
            }
            for index, (note, name, heading, body, end) in enumerate(rows)
        ],
        schema=SECTIONS,
    )  # fmt: skip


@pytest.fixture(scope="session")
def study() -> Study:
    """The shipped study."""
    return load_study()


@pytest.fixture(scope="session")
def label(study: Study) -> Callable[..., dict[str, dict[str, Any]]]:
    """Label one text by the assertion engine: field -> row."""

    def run(text: str, sections: Sequence[tuple[str, int, int, int]] = ()) -> dict[str, dict[str, Any]]:
        notes = notes_table([text])
        table = label_notes(notes, sections_table([(1, *each) for each in sections], notes), study, **STAMP)
        return {row["field"]: row for row in table.to_pylist()}

    return run


@pytest.fixture(scope="session")
def label_seed(study: Study) -> Callable[[str], dict[str, dict[str, Any]]]:
    """Label one text by the seed's rule: field -> row."""

    def run(text: str) -> dict[str, dict[str, Any]]:
        return {row["field"]: row for row in label_notes_seed(notes_table([text]), study, **STAMP).to_pylist()}

    return run
