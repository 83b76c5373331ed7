"""Metrics on real trial descriptions and their brief summaries: near the floors that others measured, and sane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clinical_assets.summaries.controls import lead_k, own_versus_shuffled
from clinical_assets.summaries.metrics import SummaryRow, aggregate, copy_baseline, lead_baseline, score_rows
from clinical_assets.summaries.rouge import ROUGE_KINDS, rouge_pairs


@pytest.fixture(scope="module")
def trials(public_data: Path) -> list[dict[str, str]]:
    path = public_data / "summarization" / "ctgov_dev.parquet"
    if not path.is_file():
        pytest.skip(f"no trial descriptions at {path}; set CLINICAL_PUBLIC_DATA to run this")
    rows = pq.read_table(path, columns=["nct_id", "description", "brief_summary"]).to_pylist()
    return [{name: value or "" for name, value in row.items()} for row in rows]


def test_lead_3_is_near_the_floor_that_was_measured_elsewhere(trials: list[dict[str, str]]) -> None:
    """36.9 / 17.6 / 25.3, by another splitter into sentences and on more trials (public data README)."""
    found = rouge_pairs([lead_k(row["description"], 3) for row in trials], [row["brief_summary"] for row in trials])
    means = [100 * float(np.nanmean([scores[kind].f1 for scores in found])) for kind in ROUGE_KINDS]
    assert means == pytest.approx([36.9, 17.6, 25.3], abs=2.0)


def test_baselines_and_control_on_real_texts(trials: list[dict[str, str]]) -> None:
    rows = [
        SummaryRow(row["nct_id"], row["description"], [], row["brief_summary"], [], reference=row["brief_summary"])
        for row in trials[:400]
    ]
    persons = [row.person for row in rows]
    own, lead, copy = (
        aggregate(score_rows(some), persons, n_replicates=100)
        for some in (rows, [lead_baseline(row) for row in rows], [copy_baseline(row) for row in rows])
    )
    assert own["rougeL_f1"].macro == 1
    assert copy["compression_tokens_vs_source"].micro == 1
    assert 0 < copy["rougeL_f1"].macro < lead["rougeL_f1"].macro < 1
    assert own["retention_entities_vs_source"].n_defined == 0  # no facts were given: not 1.0
    told = own["compression_tokens_vs_source"].micro, lead["compression_tokens_vs_source"].micro
    assert told[1] == pytest.approx(told[0], rel=0.25)  # whole sentences, about as long
    control = own_versus_shuffled([r.summary for r in rows], [r.source for r in rows], persons, n_replicates=100)
    assert control.depends_on_input
