"""Labelling by a model, killed with SIGKILL at every named place and run again, equals a run that was never killed.

Run as a module it is what is killed: ``python -m tests.faults.test_kill_model_labels <data>``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinical_assets.labels import model_labels
from clinical_assets.language_models.answers import Answer, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.storage.contracts import NOTES, SECTIONS, VOLATILE
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2024, 1, 1, tzinfo=UTC)
TABLE, SHELF = "labels/llm_fake", "labels_put_by/llm_fake"
OLD = ["The patient has CML.", "On imatinib since May.", "A cough.", "", "Her mother had CML."]
NEW = ["The patient has CML.", "Off imatinib since June.", "A cold.", "", "Her mother had CML.", "CML in remission."]
CHANGED = {NEW[1], NEW[2], NEW[5]}
# Each of the three notes that are asked is put by (visits 1-3 of lake.*), then the partition is written (4).
PLACES = [
    *(f"model_labels.after_put_by:{visit}" for visit in (1, 2, 3)),
    *(
        f"lake.{name}:{visit}"
        for name in ("after_temp_write", "before_replace", "after_replace")
        for visit in (1, 3, 4)
    ),
]


class Fake:
    """Says true where the text is of even length; writes down what it is asked."""

    decoding = "schema_scoring"
    room = 1_000

    def __init__(self, diary: Path, n_fields: int) -> None:
        self._diary, self._n = diary, n_fields

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        for index, request in enumerate(requests):
            with self._diary.open("a") as out:
                out.write(request.text + "\n")
            value = len(request.text) % 2 == 0
            yield index, Answer("labelled", (value,) * self._n, (0.75 if value else 0.25,) * self._n, 5, 1, 0.1)

    def token_count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        pass


def land(lake: Lake, texts: Sequence[str]) -> None:
    rows = [
        {
            "note_id": k, "person_id": k, "note_date": date(2020, 1, 1), "text": text, "n_chars": len(text),
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(), "status": "usable" if text else "blank", "batch": "b",
            "source_file_sha256": "f", "ingested_at": NOW,
        }
        for k, text in enumerate(texts, 1)
    ]  # fmt: skip
    lake.write("notes/notes", pa.Table.from_pylist(rows, schema=NOTES), NOTES, batch="b")
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")


def main(data: Path) -> None:
    """Label the batch, putting by after each note."""
    model_labels._PUT_BY_SECONDS = 0.0
    study = load_study()
    entry = ModelEntry(
        name="fake",
        description="answers by a script",
        model="none",
        context_length=2048,
        licence="none",
        profile="demo",
    )

    @contextlib.contextmanager
    def open_backend(question: model_labels.Question) -> Iterator[Any]:
        yield Fake(data / "asked.txt", len(question.schema.fields))

    model_labels.label_batch_with_model(
        Lake(data / "lake"), entry, study, "b", range(1, 100), "r", open_backend, run_id="run", labelled_at=NOW,
        log=lambda line: None,
    )  # fmt: skip


def work(data: Path, failpoint: str = "") -> int:
    environment = {**os.environ, "CLINICAL_FAILPOINT": failpoint}
    command = [sys.executable, "-m", "tests.faults.test_kill_model_labels", str(data)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode


def asked(data: Path) -> list[str]:
    path = data / "asked.txt"
    return path.read_text().splitlines() if path.exists() else []


def labels(data: Path) -> list[dict[str, Any]]:
    rows = Lake(data / "lake").read(TABLE, "b")
    return rows.drop_columns([name for name in rows.column_names if name in VOLATILE]).to_pylist()


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> tuple[Path, Path]:
    """A batch that is labelled, with a corrected version landed since; and the same labelled anew without a fault."""
    folder = tmp_path_factory.mktemp("kill")
    old, new = folder / "old", folder / "new"
    land(Lake(old / "lake"), OLD)
    assert work(old) == 0
    assert asked(old) == [text for text in OLD if text]
    (old / "asked.txt").unlink()
    land(Lake(old / "lake"), NEW)
    shutil.copytree(old, new)
    assert work(new) == 0
    assert set(asked(new)) == CHANGED
    assert labels(old) != labels(new)
    return old, new


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_run_run_again_equals_one_that_was_never_killed(
    versions: tuple[Path, Path], tmp_path: Path, place: str
) -> None:
    old, new = versions
    data = tmp_path / "data"
    shutil.copytree(old, data)
    assert work(data, place) == -signal.SIGKILL, "the failpoint was not reached"
    for path in (data / "lake").rglob("*.parquet"):
        pq.read_table(path, partitioning=None)  # what readers see in between is whole files
    published = place == "lake.after_replace:4"
    assert labels(data) == (labels(new) if published else labels(old))
    lake = Lake(data / "lake")
    put_by = lake.read(SHELF, "b")["note_sha256"].to_pylist() if lake.has(SHELF, "b") else []
    told = {text for text in CHANGED if hashlib.sha256(text.encode()).hexdigest() in put_by}
    visit = int(place[-1])
    assert len(told) == min(3, visit if "after_put_by" in place or "after_replace" in place else visit - 1)
    assert told <= set(asked(data))
    (data / "asked.txt").unlink()
    assert work(data) == 0
    assert set(asked(data)) == CHANGED - told, "what was put by is not asked again"
    assert len(asked(data)) == len(CHANGED - told)
    assert labels(data) == labels(new)
    assert not lake.has(SHELF, "b")
    assert not list((data / "lake" / "labels_put_by").rglob("*.*")), "nothing is left of what was put by"


def test_a_killed_first_run_run_again_equals_one_that_was_never_killed(
    versions: tuple[Path, Path], tmp_path: Path
) -> None:
    _, new = versions
    data = tmp_path / "data"
    land(Lake(data / "lake"), NEW)
    for place in ("model_labels.after_put_by:2", "lake.before_replace:2", "model_labels.after_put_by:1"):
        assert work(data, place) == -signal.SIGKILL
        assert not Lake(data / "lake").has(TABLE, "b")
    assert work(data) == 0
    assert labels(data) == labels(new)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
