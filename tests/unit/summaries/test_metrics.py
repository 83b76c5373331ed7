"""Rows and aggregates: definitions by hand, intervals against a plain bootstrap, invariances; lead, copy and shuffled sources."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.statistics.bootstrap import person_weights
from clinical_assets.summaries.controls import lead_end, lead_k, own_versus_shuffled, sentence_spans
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.metrics import (
    Aggregate,
    SummaryRow,
    aggregate,
    copy_baseline,
    lead_baseline,
    row_metrics,
    score_rows,
)
from clinical_assets.summaries.ratios import UNDEFINED, Ratio, plain_value
from clinical_assets.summaries.text_metrics import compression, count_tokens, repetition, tokens

DRUGS = "imatinib dasatinib nilotinib bosutinib ponatinib asciminib".split()
SENTENCES = [f"On {drug} {100 * k} mg daily since {2010 + k}." for k in range(1, 9) for drug in DRUGS]


def facts_of(text: str) -> list[Fact]:
    """A stand-in for the extraction that is somebody else's."""
    found = [Fact("drug", drug, text.index(drug), text.index(drug) + len(drug)) for drug in DRUGS if drug in text]
    words, at = [], 0
    for word in text.replace(".", " ").split():
        at = text.index(word, at)
        words.append((word, at))
        at += len(word)
    return found + [Fact("number", word, at, at + len(word)) for word, at in words if word.isdigit()]


def row(
    source: str, summary: str, *, person: str = "p", first: str | None = None, reference: str | None = None
) -> SummaryRow:
    first_facts = None if first is None else facts_of(first)
    return SummaryRow(person, source, facts_of(source), summary, facts_of(summary), first, first_facts, reference)


def cohort(n: int = 40, seed: int = 0) -> list[SummaryRow]:
    dice, rows = random.Random(seed), []
    for i in range(n):
        lines = dice.sample(SENTENCES, 8)
        rows.append(
            row(
                " ".join(lines),
                " ".join(lines[:3]),
                person=f"p{i // 2}",
                first=" ".join(lines[:6]),
                reference=" ".join(lines[1:4]),
            )
        )
    return rows


def test_tokens() -> None:
    assert tokens("Hb 9.5 g/dl, BP 120/80; 2021-03-05: wohl (Ärztin) 不") == [
        *"Hb|9.5|g|/|dl|,|BP|120/80|;|2021-03-05|:|wohl|(|Ärztin|)|不".split("|")
    ]


def test_compression_by_hand_and_its_flags() -> None:
    long = "word " * 40
    found = compression("word " * 10, long)
    assert found["tokens"] == Ratio(10, 40, False)
    assert found["characters"].value == pytest.approx(49 / 199)
    assert compression("word " * 10, "word " * 9)["tokens"] == Ratio(10, 9, True)  # too short to be halved
    assert compression("word", long, shortest=41)["tokens"].flagged
    assert compression("", long)["tokens"].flagged  # says nothing: no compression
    assert compression("word", " \n")["characters"].value is None


def test_repetition() -> None:
    assert repetition("a b c d e f g").value == 0
    assert repetition("a b c").value is None
    assert repetition("No fever. " * 50).value > 0.95
    assert repetition("x x x x x").value == 0.5


@given(st.text(max_size=80))
def test_bounds_on_any_text(text: str) -> None:
    value = repetition(text).value
    assert value is None or 0 <= value < 1
    assert all(r.value in (None, 1.0) for r in compression(text, text).values())
    spans = sentence_spans(text)
    assert all(a < b and text[a:b].strip() == text[a:b] for a, b in spans)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    outside = "".join(
        text[a:b] for a, b in zip([0, *(b for _, b in spans)], [*(a for a, _ in spans), len(text)], strict=True)
    )
    assert not outside.strip()


def test_every_row_has_the_same_metrics() -> None:
    full, bare = cohort(1)[0], row("", "")
    one, other = row_metrics(full), row_metrics(bare)
    assert list(one) == list(other)
    assert one["compression_tokens_vs_first_stage"].value == 0.5
    assert one["retention_number_vs_source"].denominator > 0
    assert all(ratio.value is None for ratio in other.values())  # nothing in, nothing out: nothing looks good


def test_lead_and_copy() -> None:
    one = cohort(1)[0]
    copied = row_metrics(copy_baseline(one))
    assert copied["compression_tokens_vs_source"].value == 1
    assert all(
        r.value in (None, 1.0) for name, r in copied.items() if name.startswith("retention") and "source" in name
    )
    assert copied["hallucinated_numbers"].value == 0
    lead = lead_baseline(one)
    assert lead.summary == one.summary  # which is the first three sentences
    assert {f.key for f in lead.summary_facts} == {f.key for f in one.summary_facts}
    assert lead_baseline(dataclasses.replace(one, source="", source_facts=[])).summary == ""
    assert lead_k(one.source, 3) == one.summary
    assert lead_k("", 3) == ""
    with pytest.raises(ValueError, match="k is 0"):
        lead_k("a", 0)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(0, 60))
def test_lead_has_the_nearest_length(sizes: list[int], wanted: int) -> None:
    text = " ".join("Word " + "word " * (n - 1) + "end." for n in sizes)
    ends = [b for _, b in sentence_spans(text)]
    nearest = min(abs(count_tokens(text[:end]) - wanted) for end in ends)
    assert abs(count_tokens(text[: lead_end(text, wanted)]) - wanted) == nearest


def test_aggregates_by_hand() -> None:
    scores = [{"a": Ratio(1, 2)}, {"a": Ratio(9, 10)}, {"a": UNDEFINED}, {"a": Ratio(50, 1, True)}]
    found = aggregate(scores, ["x", "y", "z", "x"])["a"]
    assert (found.n_rows, found.n_defined, found.n_flagged) == (4, 2, 1)
    assert found.macro == pytest.approx(0.7)
    assert found.micro == pytest.approx(10 / 12)
    assert found.std == pytest.approx(np.std([0.5, 0.9], ddof=1))
    assert (found.minimum, found.maximum) == (0.5, 0.9)
    assert found.macro_low <= found.macro <= found.macro_high
    one = aggregate([{"a": Ratio(1, 2)}], ["x"])["a"]
    assert math.isnan(one.macro_low)
    assert math.isnan(one.std)
    none = aggregate([{"a": UNDEFINED}], ["x"])["a"]
    assert math.isnan(none.macro)
    assert math.isnan(none.micro)
    assert plain_value(float("nan")) is UNDEFINED


def test_intervals_are_those_of_drawing_persons() -> None:
    rows = cohort()
    persons = [one.person for one in rows]
    scores = score_rows(rows)
    name = "retention_numeric_vs_source"
    found = aggregate(scores, persons, n_replicates=400, seed=3)[name]
    weights, index = person_weights(persons, 400, 3)
    values = np.array([score[name].value for score in scores], dtype=float)
    tops = np.array([score[name].numerator for score in scores])
    bottoms = np.array([score[name].denominator for score in scores])
    drawn = weights[:, index]
    low, high = np.quantile(drawn @ values / drawn.sum(axis=1), [0.025, 0.975])
    assert (found.macro_low, found.macro_high) == pytest.approx((low, high))
    low, high = np.quantile((drawn @ tops) / (drawn @ bottoms), [0.025, 0.975])
    assert (found.micro_low, found.micro_high) == pytest.approx((low, high))


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(40)))
def test_order_of_rows_is_irrelevant(order: list[int]) -> None:
    rows = cohort()
    mixed = [rows[i] for i in order]
    one = aggregate(score_rows(rows), [r.person for r in rows], n_replicates=50)
    other = aggregate(score_rows(mixed), [r.person for r in mixed], n_replicates=50)
    for name, found in one.items():
        for field in dataclasses.fields(Aggregate)[1:]:
            a, b = getattr(found, field.name), getattr(other[name], field.name)
            assert a == pytest.approx(b, nan_ok=True)
    pairs = [
        own_versus_shuffled(*zip(*[(r.summary, r.source, r.person) for r in some], strict=True), n_replicates=50)
        for some in (rows, mixed)
    ]
    assert dataclasses.astuple(pairs[0]) == pytest.approx(dataclasses.astuple(pairs[1]))


def test_own_source_fits_better_unless_the_input_was_ignored() -> None:
    rows = cohort(60)
    sources, persons = [r.source for r in rows], [r.person for r in rows]
    good = own_versus_shuffled([r.summary for r in rows], sources, persons)
    assert good.depends_on_input
    assert good.low <= good.difference <= good.high
    assert good.difference == pytest.approx(good.own - good.shuffled)
    fixed = own_versus_shuffled([SENTENCES[0]] * 60, sources, persons)
    assert fixed.depends_on_input is False
    invented = own_versus_shuffled([r.summary for r in cohort(60, seed=5)], sources, persons)
    assert invented.depends_on_input is False


def test_shuffled_sources_are_another_persons_and_differ() -> None:
    seen: list[tuple[str, str]] = []

    def fit(candidates, references):
        seen.extend(zip(candidates, references, strict=True))
        return [0.0] * len(candidates)

    persons = ["a"] * 5 + ["b", "c"]
    sources = [f"{person}{i}" for i, person in enumerate(persons)]
    found = own_versus_shuffled(sources, sources, persons, fit=fit, n_draws=20)
    foreign = seen[len(sources) :]
    assert len(foreign) == 20 * len(sources)
    assert all(own[0] != other[0] for own, other in foreign)
    assert found.n_compared == 7
    same = own_versus_shuffled(["x", "y"], ["copied forward"] * 2, ["a", "b"])
    assert same.n_compared == 0
    assert same.depends_on_input is None
    assert own_versus_shuffled(["x"], ["y"], ["a"]).depends_on_input is None


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        SummaryRow("p", "", [], "", [], first_stage="SECRET")
    with pytest.raises(ValueError, match="expected one person per row"):
        aggregate([{"a": UNDEFINED}], [])
    with pytest.raises(ValueError, match="row 1 has other metrics than row 0: b"):
        aggregate([{"a": UNDEFINED}, {"a": UNDEFINED, "b": UNDEFINED}], ["x", "y"])
    with pytest.raises(ValueError, match="finite"):
        Ratio(float("nan"), 1)
    with pytest.raises(ValueError, match="expected as many of each"):
        own_versus_shuffled(["x"], [], ["a"])
    with pytest.raises(ValueError, match="expected one score per pair"):
        own_versus_shuffled(["x"], ["y"], ["a"], fit=lambda a, b: [0.0, 1.0])
