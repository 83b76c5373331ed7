"""Retention, hallucination and negation flips: what they count, and that no empty text looks good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.summaries.fact_metrics import (
    ENTITY_KINDS,
    KINDS,
    NUMERIC_KINDS,
    facts_within,
    hallucination,
    negation_flips,
    retention,
)
from clinical_assets.summaries.facts import Fact

FACT = st.builds(
    Fact,
    kind=st.sampled_from(KINDS),
    key=st.sampled_from(["cml", "imatinib 400 mg", "400", "hb 9.5 g/dl", "2021-03-05", "2021-03", "x"]),
    start=st.integers(0, 50),
    end=st.integers(50, 99),
    negated=st.booleans(),
)
FACTS = st.lists(FACT, max_size=25)


def fact(kind: str, key: str, *, negated: bool = False, at: int = 0) -> Fact:
    return Fact(kind, key, at, at + 1, negated)  # type: ignore[arg-type]


def test_kinds_are_all_in_one_group() -> None:
    assert set(ENTITY_KINDS) | set(NUMERIC_KINDS) == set(KINDS)
    assert not set(ENTITY_KINDS) & set(NUMERIC_KINDS)
    assert ENTITY_KINDS == ("disease", "drug", "procedure", "concept")


def test_retention_counts_distinct_facts_by_kind() -> None:
    source = [
        fact("drug", "imatinib"),
        fact("drug", "imatinib", at=9),
        fact("drug", "dasatinib"),
        fact("lab", "hb 9.5"),
    ]
    found = retention(source, [fact("drug", "imatinib"), fact("disease", "cml")])
    assert found["drug"].value == found["entities"].value == 0.5
    assert found["lab"].value == found["numeric"].value == 0
    assert found["disease"].value is None  # nothing to keep; the seed said 1.0
    assert retention([], [fact("drug", "imatinib")])["entities"].value is None


@given(FACTS, FACTS, FACT)
def test_retention_grows_with_facts_kept_and_is_bounded(source: list[Fact], summary: list[Fact], more: Fact) -> None:
    before, after = retention(source, summary), retention(source, [*summary, more])
    for kind, ratio in before.items():
        assert ratio.denominator == after[kind].denominator
        assert 0 <= ratio.numerator <= after[kind].numerator <= ratio.denominator


@given(FACTS, st.data())
def test_a_summary_of_the_same_facts_invents_and_turns_nothing(source: list[Fact], data: st.DataObject) -> None:
    kept = [one for one in source if data.draw(st.booleans())]
    assert all(not ratio.numerator for ratio in hallucination(source, kept).values())
    assert not negation_flips(source, kept).numerator
    assert all(ratio.value in (None, 1.0) for ratio in retention(source, source).values())


@given(FACTS, FACTS, st.randoms())
def test_order_and_repetition_of_facts_are_irrelevant(source: list[Fact], summary: list[Fact], dice) -> None:
    mixed, twice = source[:], summary * 2
    dice.shuffle(mixed)
    dice.shuffle(twice)
    assert retention(mixed, twice) == retention(source, summary)
    assert hallucination(mixed, twice) == hallucination(source, summary)
    assert negation_flips(mixed, twice) == negation_flips(source, summary)


@given(FACTS, FACTS)
def test_hallucination_is_bounded_and_undefined_where_nothing_is_said(source: list[Fact], summary: list[Fact]) -> None:
    found = hallucination(source, summary)
    for name, is_numeric in (("entities", False), ("numbers", True)):
        assert 0 <= found[name].numerator <= found[name].denominator
        said = any(one.is_numeric == is_numeric for one in summary)
        assert (found[name].value is None) == (not said)


def test_inventions() -> None:
    source = [fact("dose", "imatinib 400 mg"), fact("date", "2021-03-05"), fact("drug", "imatinib")]
    said = [fact("dose", "imatinib 600 mg"), fact("date", "2021-03"), fact("number", "400"), fact("number", "40")]
    assert hallucination(source, said)["numbers"].value == 0.5  # 600 mg and 40
    assert hallucination(source, [fact("date", "2021-03-05"), fact("date", "2021-03-0")])["numbers"].value == 0.5
    assert (
        hallucination([fact("date", "2021-03")], [fact("date", "2021-03-05")])["numbers"].value == 1
    )  # more than was given
    assert hallucination(source, [fact("disease", "imatinib")])["entities"].value == 1  # another kind


def test_flips() -> None:
    yes, no = fact("disease", "fever"), fact("disease", "fever", negated=True)
    assert negation_flips([yes], [no]).value == negation_flips([no], [yes]).value == 1
    assert negation_flips([yes], [yes]).value == negation_flips([yes, no], [no]).value == 0
    assert negation_flips([yes], [yes, no]).value == 1  # it also says what the source never says
    assert negation_flips([yes], [fact("disease", "cml")]).value is None


def test_facts_of_a_lead() -> None:
    facts = [fact("drug", "a", at=0), fact("drug", "b", at=9)]
    assert facts_within(facts, 9) == facts[:1]
    assert facts_within(facts, 10) == facts
