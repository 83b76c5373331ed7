"""Scores of sets against gold, beside a slow scorer that follows the definitions word by word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.error_kinds import error_kinds
from clinical_assets.entities.scoring import counts_of, overlap_counts, score_sets

SPANS = st.tuples(st.integers(0, 12), st.integers(1, 5), st.sampled_from(["chemical", "disease"])).map(
    lambda t: (t[0], t[0] + t[1], t[2])
)
DOCUMENTS = st.lists(st.tuples(st.lists(SPANS, max_size=6), st.lists(SPANS, max_size=6)), min_size=1, max_size=6)


def slow(gold, found, *, overlap: bool) -> dict[str, float | None]:
    """Precision, recall and F1, micro, from the definitions: a span is right if some gold span is it (or touches it)."""

    def agree(a, b) -> bool:
        if not overlap:
            return a == b
        return a[2] == b[2] and bool(set(range(a[0], a[1])) & set(range(b[0], b[1])))

    pairs = [(g, f) for g_doc, f_doc in zip(gold, found, strict=True) for g, f in [(set(g_doc), set(f_doc))]]
    n_gold, n_found = sum(len(g) for g, _ in pairs), sum(len(f) for _, f in pairs)
    right_found = sum(any(agree(x, y) for y in g) for g, f in pairs for x in f)
    right_gold = sum(any(agree(x, y) for y in f) for g, f in pairs for x in g)
    precision, recall = (right_found / n_found if n_found else None), (right_gold / n_gold if n_gold else None)
    if n_gold + n_found == 0:
        return {"precision": None, "recall": None, "f1": None}
    p, r = precision or 0.0, recall or 0.0
    return {"precision": precision, "recall": recall, "f1": 2 * p * r / (p + r) if p + r else 0.0}


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.booleans())
def test_scores_are_those_of_the_definitions(documents, overlap: bool) -> None:
    gold, found = [g for g, _ in documents], [f for _, f in documents]
    count = overlap_counts if overlap else counts_of
    score, meant = score_sets(count(gold, found), n_replicates=20), slow(gold, found, overlap=overlap)
    for name, value in meant.items():
        said = getattr(score, name)
        assert (said is None) == (value is None)
        assert value is None or math.isclose(said, value)
    each = [slow([g], [f], overlap=overlap)["f1"] for g, f in documents]
    defined = [value for value in each if value is not None]
    by_document = score_sets(count(gold, found), "document", n_replicates=20).f1
    assert by_document is None if not defined else math.isclose(by_document, sum(defined) / len(defined))
    if score.f1_low is not None and not math.isnan(score.f1_low):
        assert 0 <= score.f1_low <= score.f1_high <= 1


def test_the_interval_is_that_of_drawing_documents() -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(3, 9, 200)
    hit = rng.binomial(gold, 0.8)
    found = hit + rng.binomial(3, 0.2, 200)
    score = score_sets(np.column_stack([gold, found, hit, hit]), n_replicates=2_000)
    drawn = []
    for _ in range(2_000):
        i = rng.integers(0, 200, 200)
        drawn.append(2 * hit[i].sum() / (gold[i].sum() + found[i].sum()))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert score.f1_low == pytest.approx(low, abs=0.004)
    assert score.f1_high == pytest.approx(high, abs=0.004)


def test_relations_are_scored_as_any_other_set() -> None:
    score = score_sets(
        counts_of([{("c1", "d1"), ("c1", "d2")}, set()], [{("c1", "d1")}, {("c2", "d9")}]), n_replicates=50
    )
    assert (score.n_gold, score.n_found, score.n_true_positive) == (2, 2, 1)
    assert (score.precision, score.recall, score.f1) == (0.5, 0.5, 0.5)
    nothing = score_sets(counts_of([], []))
    assert nothing.f1 is None
    assert nothing.n_documents == 0
    with pytest.raises(ValueError, match="micro or document"):
        score_sets(counts_of([], []), "macro")


def test_each_mistake_has_its_kind() -> None:
    text = (
        "Lithium-induced nephrogenic diabetes insipidus (NDI). Lithium caused NDI, thirst and polyuria after naloxone."
    )
    gold = [
        (0, 7, "chemical"),
        (16, 46, "disease"),
        (48, 51, "disease"),
        (54, 61, "chemical"),
        (69, 72, "disease"),
        (74, 80, "disease"),
    ]
    codes = {gold[0]: frozenset({"C1"}), gold[3]: frozenset({"C1"}), gold[1]: frozenset({"D1"})}
    found = [
        (0, 15, "chemical"),  # took in what the hyphen joins
        (28, 46, "disease"),  # too short
        (48, 51, "chemical"),  # other type
        (85, 93, "disease"),  # nobody annotated it
    ]
    assert error_kinds(text, gold, found, codes) == {
        ("chemical", "hyphen"): 1,
        ("disease", "boundary"): 1,
        ("disease", "type"): 1,
        ("disease", "abbreviation"): 1,
        ("disease", "missed"): 1,
        ("chemical", "missed"): 1,
        ("disease", "hallucination"): 1,
    }
    # one of two mentions of a concept is found: the other is a synonym, or the same word elsewhere
    assert error_kinds(text, gold[:1] + gold[3:4], gold[:1], codes) == {("chemical", "synonym"): 1}
    assert not error_kinds(text, gold, gold, codes)
