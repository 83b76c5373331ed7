"""Both stages on texts: verbatim, in order, nothing that counts is lost or turned."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.assertion import Section
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.summaries.clauses import compress, cut, lost_or_turned
from clinical_assets.summaries.extractive import fact_id, summarize, units_with_facts
from clinical_assets.summaries.source import Source, SourceNote, Unit
from clinical_assets.summaries.spans import Span, joined, render
from clinical_assets.summaries.text_metrics import count_tokens

NOTE = """History of Present Illness:
Pt is a 43 yo man with chronic myeloid leukemia since 2014. Work has been fine. He enjoys gardening and long walks.
BCR::ABL1 0.020%, which is stable, and he feels well. Continues in good spirits.
Medications:
- imatinib 400 mg PO daily, tolerating it well
- lisinopril 20 mg daily
Family History:
Father had leukemia.
Exam:
No rash, edema or fever. Comfortable. Chest clear.
Plan:
- imatinib 400 mg PO daily.
- If headache worsens, go to ED.
"""


def source_of(text: str, sections: tuple[Section, ...] = ()) -> Source:
    return Source(1, 1, (SourceNote(1, text, "sha", sections),), "ready")


def sectioned(text: str) -> tuple[Section, ...]:
    heads = [("history_of_present_illness", "History of Present Illness:"), ("medications", "Medications:"), ("family_history", "Family History:"), ("physical_exam", "Exam:"), ("plan", "Plan:")]  # fmt: skip
    starts = [(name, text.index(head), text.index(head) + len(head)) for name, head in heads]
    ends = [start for _, start, _ in starts[1:]] + [len(text)]
    return tuple(Section(name, start, body, end) for (name, start, body), end in zip(starts, ends, strict=True))


def facts_of(extractor, source: Source):
    return {note.note_id: extractor.extract(note.text, note.index) for note in source.notes}


def both(extractor, source: Source, verbose: float = 0.9, compressed: float = 0.6):
    facts = facts_of(extractor, source)
    first = summarize(source, facts, ratio=verbose, max_tokens=4000)
    return facts, first, compress(source, first.spans, facts, extractor.extract, ratio=compressed)


def test_stage_one_keeps_sentences_as_they_are_with_their_headings(extractor) -> None:
    source = source_of(NOTE, sectioned(NOTE))
    facts, first, _ = both(extractor, source, 0.8)
    text = render(source.texts, first.spans)
    assert first.status == "summarized"
    assert count_tokens(text) <= 0.8 * count_tokens(NOTE)
    assert all(line in NOTE for line in text.split("\n"))
    assert "Family History:\nFather had leukemia." in text
    assert "enjoys gardening" not in text
    assert first.bound > 0.39
    assert list(first.spans) == sorted(first.spans)
    assert not any(lost_or_turned(facts[1], extractor.extract(text)))


def test_stage_two_drops_what_says_nothing_and_no_number(extractor) -> None:
    source = source_of(NOTE, sectioned(NOTE))
    facts, first, second = both(extractor, source)
    text = render(source.texts, second.spans)
    assert second.status == "summarized"
    assert count_tokens(text) <= 0.6 * count_tokens(render(source.texts, first.spans))
    assert {f.key for f in facts[1] if f.is_numeric} == {f.key for f in extractor.extract(text) if f.is_numeric}
    assert text.count("imatinib 400 mg") == 1
    assert "tolerating" not in text
    assert lost_or_turned(facts[1], extractor.extract(text)) == (0, 0)
    if "Father had leukemia" in text:
        assert "Family History:" in text


@pytest.mark.parametrize(
    ("sentence", "clauses"),
    [
        ("Doing well, on imatinib 400 mg daily, no rash.", ["Doing well", "on imatinib 400 mg daily", "no rash."]),
        ("No rash, edema, fever.", ["No rash, edema, fever."]),
        ("Fever, cough: denied.", ["Fever, cough: denied."]),
        ("No palpitations, no leg swelling.", ["No palpitations", "no leg swelling."]),
        ("If headache worsens, go to ED.", ["If headache worsens, go to ED."]),
        ("History of gout, asthma.", ["History of gout, asthma."]),
        ("Takes imatinib, 400 mg, daily.", ["Takes imatinib, 400 mg, daily."]),
        ("Stable (Hb 12, WBC 4), well.", ["Stable (Hb 12, WBC 4)", "well."]),
        ("No rash but fever.", ["No rash", "but fever."]),
        ("133/72 | 97 | 36.8 C.", ["133/72", "97", "36.8 C."]),
        ("- gout - on treatment", ["gout", "on treatment"]),
        ("Off ponatinib (side effects).", ["Off ponatinib"]),
        ("Off ponatinib (not tolerated).", ["Off ponatinib (not tolerated)."]),
        ("Asthma (her husband).", ["Asthma (her husband)."]),
        ("Off ponatinib (2016).", ["Off ponatinib (2016)."]),
        ("2. Hx gout - on treatment", ["Hx gout"]),
    ],
)
def test_where_a_sentence_may_be_cut(extractor, sentence, clauses) -> None:
    facts = extractor.extract(sentence)
    if sentence.startswith("Takes"):
        assert [f.kind for f in facts] == ["drug", "dose"], facts
    found = cut(sentence, Unit(1, 0, len(sentence), "other"), facts)
    assert [sentence[c.start : c.end] for c in found] == clauses


def test_numbers_that_need_more_than_the_target_are_kept_and_it_is_said(extractor) -> None:
    source = source_of("Hb 12.1. WBC 4.2. Platelets 210. Cr 0.9. Na 140. K 4.1.")
    facts, _, second = both(extractor, source, 1.0, 0.5)
    assert second.status == "over_target"
    assert lost_or_turned(facts[1], extractor.extract(render(source.texts, second.spans))) == (0, 0)


@pytest.mark.parametrize("text", ["CML.", "Imatinib 400 mg daily", "!!!"])
def test_one_line_is_passed_on_whole(extractor, text) -> None:
    source = source_of(text)
    _, first, second = both(extractor, source)
    assert (first.status, second.status) == ("one_line", "one_line")
    assert render(source.texts, second.spans) == text


def test_a_loop_is_said_once(extractor) -> None:
    source = source_of("Imatinib 400 mg daily. " * 40)
    _, _, second = both(extractor, source, 1.0)
    assert render(source.texts, second.spans) == "Imatinib 400 mg daily."


PIECES = st.sampled_from(
    ["CML since 2014.", "No rash, edema.", "imatinib 400 mg daily", "Hb 12.6,", "denies fever but", "has cough.", "\n", "PMH:", "- gout", "If worse, call.", "BP 120/80.", "Doing well,", "asthma;", "(stable,", "fine)", "\n\n"]
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=25).map(" ".join))
def test_whatever_the_text_numbers_stay_and_negation_does_not_turn(extractor, text) -> None:
    source = source_of(text)
    facts, first, second = both(extractor, source, 1.0)
    made = render(source.texts, second.spans)
    kept = [
        f
        for unit, inside in units_with_facts(source.notes[0].sentences(), facts[1])
        if Span(1, unit.start, unit.end) in first.spans
        for f in inside
    ]
    if second.spans != first.spans:
        assert lost_or_turned(kept, extractor.extract(made)) == (0, 0)
    assert all(text[span.start : span.end] in made for span in second.spans)
    assert all(a.end <= b.start for a, b in zip(second.spans, second.spans[1:], strict=False))
    if second.status == "summarized":
        assert count_tokens(made) <= 0.6 * count_tokens(render(source.texts, first.spans))


@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=400).map(" ".join)))
def test_sentences_leave_out_nothing_but_white_space(text) -> None:
    spans = sentence_spans(text)
    assert "".join("".join(text[a:b] for a, b in spans).split()) == "".join(text.split())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_a_text_without_boundaries_is_split_in_linear_time() -> None:
    assert len(sentence_spans("x" * 100_000)) == 25
    assert len(sentence_spans("word " * 40_000)) > 40


def test_spans_are_joined_as_their_gaps_say() -> None:
    text = "a b, c. d\ne"
    assert joined(text, [(0, 1), (5, 7), (10, 11)]) == "a; c.\ne"
    assert joined(text, [(0, 1), (2, 3)]) == "a b"


def test_the_same_fact_negated_is_another_fact(extractor) -> None:
    yes, no = extractor.extract("Rash."), extractor.extract("No rash.")
    assert {fact_id(f) for f in yes} != {fact_id(f) for f in no}
    assert lost_or_turned(no, yes) == (0, 1)
