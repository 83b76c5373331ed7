"""ROUGE: Google's rouge-score on anything that has something to compare, and honest where it has not."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.summaries.rouge import ROUGE_KINDS, longest_common, rouge, rouge_pairs, rouge_words

WORDS = st.lists(st.sampled_from("no fever cough mg 400 imatinib, (Day-2) Ärztin BCR-ABL1 2.5% a".split()), max_size=40)
TEXT = WORDS.map(" ".join) | st.text(max_size=60)


def slow_lcs(a: list[str], b: list[str]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@pytest.fixture(scope="module")
def reference_library() -> Any:
    library = pytest.importorskip("rouge_score.rouge_scorer", reason="rouge-score is not installed (make install)")
    from absl import logging

    # rouge-score logs through absl, whose handler closes the stream that it was made with as soon as logging is configured
    # anew (by a Dagster run, say): here that is pytest's, and no later test could be captured.
    logging.get_absl_handler().python_handler.stream = sys.__stderr__
    return library


@settings(deadline=None, max_examples=300)
@given(TEXT, TEXT)
def test_is_the_reference_librarys(reference_library: Any, candidate: str, reference: str) -> None:
    theirs = reference_library.RougeScorer(list(ROUGE_KINDS), use_stemmer=False).score(reference, candidate)
    ours = rouge(candidate, reference)
    for kind in ROUGE_KINDS:
        least = 2 if kind == "rouge2" else 1
        if len(rouge_words(reference)) < least:
            assert math.isnan(ours[kind].recall)
            assert math.isnan(ours[kind].f1)
            continue
        assert ours[kind].recall == pytest.approx(theirs[kind].recall, abs=1e-12)
        assert ours[kind].f1 == pytest.approx(theirs[kind].fmeasure, abs=1e-12)
        if len(rouge_words(candidate)) >= least:
            assert ours[kind].precision == pytest.approx(theirs[kind].precision, abs=1e-12)


def test_recorded_values_of_the_reference_library() -> None:
    """What rouge-score 0.1.2 gave, so that this holds without it."""
    candidate = "Patient on imatinib 400 mg daily. No fever, no cough. BCR-ABL1 0.1% today."
    reference = "The patient has no fever and takes imatinib 400 mg; BCR-ABL1 was 0.1 % on day 3."
    found = rouge(candidate, reference)
    assert {kind: [round(x, 6) for x in (s.precision, s.recall, s.f1)] for kind, s in found.items()} == RECORDED


RECORDED = {
    "rouge1": [0.733333, 0.611111, 0.666667],
    "rouge2": [0.357143, 0.294118, 0.322581],
    "rougeL": [0.533333, 0.444444, 0.484848],
}


@given(st.lists(st.integers(0, 5), max_size=80), st.lists(st.integers(0, 5), max_size=80))
def test_longest_common_subsequence(a: list[int], b: list[int]) -> None:
    x, y = [str(i) for i in a], [str(i) for i in b]
    assert longest_common(x, y) == longest_common(y, x) == slow_lcs(x, y)


@given(TEXT, TEXT)
def test_bounds_and_symmetry(a: str, b: str) -> None:
    one, other = rouge(a, b), rouge(b, a)
    for kind in ROUGE_KINDS:
        for value in (one[kind].precision, one[kind].recall, one[kind].f1):
            assert math.isnan(value) or 0 <= value <= 1
        if not math.isnan(one[kind].precision + one[kind].recall):
            assert one[kind].precision == other[kind].recall
            assert one[kind].f1 == other[kind].f1


@given(TEXT)
def test_a_text_against_itself_is_one_or_undefined(text: str) -> None:
    for scores in rouge(text, text).values():
        assert scores.f1 == 1 or math.isnan(scores.f1)


def test_undefined_and_nothing_said() -> None:
    empty = rouge("", "fever and cough")["rougeL"]
    assert math.isnan(empty.precision)
    assert (empty.recall, empty.f1) == (0, 0)
    assert all(math.isnan(scores.f1) for scores in rouge("fever", "").values())
    assert math.isnan(rouge("fever and cough", "fever")["rouge2"].f1)
    with pytest.raises(ValueError, match="1 candidates but 2 references"):
        rouge_pairs(["a"], ["b", "c"])
