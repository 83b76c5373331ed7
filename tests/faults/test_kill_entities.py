"""Extraction of a batch, killed with SIGKILL at every named place and run again, equals a run that was never killed.

Run as a module it is what is killed: ``python -m tests.faults.test_kill_entities <data>``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from clinical_assets.entities import batch as batch_module
from clinical_assets.entities.extraction import Extraction
from clinical_assets.storage.lake import Lake
from tests.unit.entities.conftest import Bench, Scripted

ROOT = Path(__file__).resolve().parents[2]
OLD = ("CML on imatinib.", "No nausea.", "A cough.")
NEW = ("CML on imatinib.", "Nausea again, no nausea now.", "A cough.", "Gleevec for CML.")
# Two tables are put by after each of the two notes that are new (writes 1-4), then both partitions are written (5, 6).
PLACES = [
    "entities.after_put_by:1",
    "entities.after_put_by:2",
    "entities.between_tables",
    *(f"lake.{name}:{visit}" for name in ("after_temp_write", "after_replace") for visit in (1, 2, 5, 6)),
]


class Diary(Scripted):
    """Writes down what it is asked."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        for text in texts:
            with self._path.open("a") as out:
                out.write(text + "\n")
            yield from super().extract([text])


def main(data: Path) -> None:
    """Extract from the batch, putting by after each note."""
    batch_module._PUT_BY_SECONDS = 0.0
    Bench(Lake(data / "lake"), data / "models").run(Diary(data / "diary"))


def prepared(data: Path) -> Bench:
    bench = Bench(Lake(data / "lake"), data / "models")
    bench.land(*OLD)
    bench.run(Scripted())
    bench.land(*NEW)
    return bench


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list, list]:
    bench = prepared(tmp_path_factory.mktemp("whole"))
    bench.run(Scripted())
    return bench.rows(), bench.rows("notes")


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_run_goes_on_where_it_was(place: str, tmp_path: Path, never_killed: tuple[list, list]) -> None:
    bench = prepared(tmp_path)
    env = {**os.environ, "CLINICAL_FAILPOINT": place, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    killed = subprocess.run(
        [sys.executable, "-m", "tests.faults.test_kill_entities", str(tmp_path)],
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    asked = (tmp_path / "diary").read_text().splitlines()
    assert set(asked) <= {NEW[1], NEW[3]}
    again = Scripted()
    bench.run(again)
    assert (bench.rows(), bench.rows("notes")) == never_killed
    if place.startswith("entities."):
        assert not set(asked) & set(again.asked), "what was put by is not asked again"
    assert not bench.lake.has("entities_put_by/notes", "b")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
