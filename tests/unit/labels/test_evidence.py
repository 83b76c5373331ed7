"""What speaks for a model's answer: the right sentence, and whether the rules agree."""

from __future__ import annotations

import pytest

from clinical_assets.labels.assertion import Section, SectionIndex
from clinical_assets.labels.evidence import NOTHING, EvidenceFinder, FieldEvidence, support
from clinical_assets.study.model import Study
from clinical_assets.study.patterns import PatternTimeout


@pytest.fixture(scope="module")
def finder(study: Study) -> EvidenceFinder:
    return EvidenceFinder(study)


def none() -> SectionIndex:
    return SectionIndex()


@pytest.mark.parametrize(
    ("text", "field", "mention", "sentence", "assertion", "asserted"),
    [
        ("Seen today. Patient has chronic myeloid leukemia. Feels well.", "cml_diagnosed", "chronic myeloid leukemia", "Patient has chronic myeloid leukemia.", "affirmed", True),
        ("Seen today. No evidence of CML. Feels well.", "cml_diagnosed", "CML", "No evidence of CML.", "negated", False),
        ("Cough. Her mother had CML. She is well.", "cml_diagnosed", "CML", "Her mother had CML.", "family", False),
        ("Stable. If CML is confirmed, start treatment. Follow up.", "cml_diagnosed", "CML", "If CML is confirmed, start treatment.", "hypothetical", False),
        ("Plan below.\n- Continue imatinib 400 mg\n- Labs in a month", "imatinib_mentioned", "imatinib", "- Continue imatinib 400 mg", "affirmed", True),
        ("Well. Never took imatinib. Tea helps.", "imatinib_mentioned", "imatinib", "Never took imatinib.", "negated", False),
    ],
)  # fmt: skip
def test_the_sentence_around_the_mention_and_what_it_asserts(
    finder: EvidenceFinder, text: str, field: str, mention: str, sentence: str, assertion: str, asserted: bool
) -> None:
    found = finder.find(text, none)
    assert found is not None
    evidence = found[field]
    assert evidence.start is not None
    assert text[evidence.start : evidence.end].strip() == sentence
    assert mention in text[evidence.start : evidence.end]
    assert (evidence.mentioned, evidence.assertion, evidence.asserted) == (True, assertion, asserted)


def test_of_several_mentions_the_one_that_says_most_is_the_evidence(finder: EvidenceFinder) -> None:
    text = "Mother had CML. No CML in the brother. The patient has CML. CML was excluded in the sister."
    evidence = (finder.find(text, none) or {})["cml_diagnosed"]
    assert text[evidence.start : evidence.end].strip() == "The patient has CML."


def test_sections_are_heeded_and_read_only_where_something_is_mentioned(finder: EvidenceFinder) -> None:
    text = "Family History: CML."
    section = SectionIndex([Section("family_history", 0, 15, len(text))])
    assert (finder.find(text, lambda: section) or {})["cml_diagnosed"].assertion == "family"
    asked: list[int] = []
    assert finder.find("A cough.", lambda: asked.append(1) or none()) == {}
    assert asked == []


def test_what_the_rules_would_answer_is_the_draft(finder: EvidenceFinder) -> None:
    fields = ("cml_diagnosed", "imatinib_mentioned", "bmt_history")
    text = "Denies imatinib. The patient has CML."
    assert finder.rule_values(finder.find(text, none), fields) == (True, True, False)  # a mention of a drug is enough
    assert finder.rule_values(finder.find("No evidence of CML.", none), fields) == (False, False, False)
    assert finder.rule_values(None, fields) == (False, False, False)


def evidence(assertion: str | None) -> FieldEvidence:
    return FieldEvidence(True, assertion in {"affirmed", "historical"}, assertion, 0, 5) if assertion else NOTHING


@pytest.mark.parametrize(
    ("value", "assertion", "mention_is_enough", "expected"),
    [
        (True, "affirmed", False, "supported"),
        (True, "historical", False, "supported"),
        (True, "negated", False, "contradicted:negated"),
        (True, "family", False, "contradicted:family"),
        (True, "negated", True, "supported"),
        (True, None, False, "unsupported:no_mention"),
        (True, None, True, "unsupported:no_mention"),
        (False, "affirmed", False, "rules_affirm"),
        (False, "negated", True, "rules_affirm"),
        (False, "negated", False, None),
        (False, None, True, None),
        (None, "affirmed", True, None),
        (None, None, False, None),
    ],
)
def test_how_a_value_and_its_evidence_agree(
    value: bool | None, assertion: str | None, mention_is_enough: bool, expected: str | None
) -> None:
    assert support(value, evidence(assertion), mention_is_enough) == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("The patient has CML.", True, "supported"),
        ("The patient has CML.", False, "rules_affirm"),
        ("No evidence of CML.", True, "contradicted:negated"),
        ("Her mother had CML.", True, "contradicted:family"),
        ("If CML is confirmed, start treatment.", True, "contradicted:hypothetical"),
        ("A cough.", True, "unsupported:no_mention"),
        ("No evidence of CML.", False, None),
    ],
)
def test_support_by_the_shipped_study(finder: EvidenceFinder, text: str, value: bool, expected: str | None) -> None:
    assert finder.supports("cml_diagnosed", value, finder.find(text, none)) == expected


def test_a_regex_that_takes_too_long_leaves_no_evidence(study: Study, monkeypatch) -> None:
    finder = EvidenceFinder(study)

    def slow(text: str, sections: object) -> None:
        raise PatternTimeout("pattern took longer")

    monkeypatch.setattr(finder._compiled, "read", slow)
    assert finder.find("The patient has CML.", none) is None
    assert finder.supports("cml_diagnosed", True, None) == "evidence_timeout"
    assert finder.supports("cml_diagnosed", False, None) is None
