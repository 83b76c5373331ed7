"""A run that writes summaries and is killed: what it had put by is there, and the next run writes the rest alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from tests.unit.summaries.test_batches import rows

WORKER = """
import sys
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from clinical_assets.summaries.written import batch
from tests.unit.summaries.test_written import FIRST, Scripted, run

batch._PUT_BY_SECONDS = 0.0
writer = Scripted(lambda slots: "Summary of " + slots["note"][:6])
run(Lake(sys.argv[1]), load_study(), FIRST, writer, chunk=1)
print(len(writer.asked))
"""


def work(lake: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WORKER, str(lake)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    notes = [(i, i, date(2020, 1, i), f"Note {i}. Chronic leukemia. Well.", "usable") for i in range(1, 6)]
    lake.write("notes/notes", rows("b", *notes), NOTES, batch="b")
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")
    killed = work(
        tmp_path, CLINICAL_FAILPOINT="written_summaries.after_put_by:4"
    )  # the first is of rows without a model
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert not lake.has("summaries/verbose_writer", "b")
    assert lake.n_rows("summaries_put_by/verbose_writer", "b") == 3
    done = work(tmp_path)
    assert done.stdout.strip() == "2", done.stderr[-2000:]
    texts = {row["note_id"]: row["text"] for row in lake.read("summaries/verbose_writer", "b").to_pylist()}
    assert texts == {i: f"Summary of Note {i}" for i in range(1, 6)}
    assert not lake.has("summaries_put_by/verbose_writer", "b")
