"""Relations: documents, words, features and wording: what is read of a pair, before anything is learnt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.relations import documents as documents_module
from clinical_assets.entities.relations.documents import Mention, gap, read_document
from clinical_assets.entities.relations.features import FeatureReader
from clinical_assets.entities.relations.wording import CAUSES, TREATS, find_wording
from clinical_assets.entities.relations.words import N_BUCKETS, WordReader
from tests.unit.entities.relation_texts import marked


@st.composite
def texts_with_mentions(draw):
    text = draw(st.text("ab. \n-é\u00b51?", min_size=1, max_size=80))
    spans = draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 12)), max_size=8))
    kinds = draw(st.lists(st.sampled_from(["chemical", "disease"]), min_size=len(spans), max_size=len(spans)))
    keys = draw(st.lists(st.sampled_from([(), ("x",), ("y",), ("x", "z")]), min_size=len(spans), max_size=len(spans)))
    return text, [
        Mention(start, min(start + n, len(text)), kind, key)
        for (start, n), kind, key in zip(spans, kinds, keys, strict=True)
    ]


@settings(max_examples=60, deadline=None)
@given(texts_with_mentions())
def test_every_pair_of_any_text_has_the_same_features_and_known_buckets(given_text) -> None:
    text, mentions = given_text
    document = read_document("d", text, mentions)
    for one in document.mentions:
        start, end = document.sentences[one.sentence]
        if text[slice(*one.mention[:2])].strip():  # blanks between sentences are in none
            assert start < one.mention.end
            assert one.mention.start < end
        assert one.last > one.first
    starts = [span for span in document.sentences for span in span]
    assert starts == sorted(starts)
    names = None
    for pair in document.pairs():
        features = FeatureReader(document).features(pair)
        names = names or list(features)
        assert list(features) == names
        assert all(float(value) == float(value) for value in features.values())
        assert all(0 <= bucket < N_BUCKETS for bucket in WordReader(document).buckets(pair))


def test_a_mention_with_a_stop_in_it_lies_in_one_sentence() -> None:
    text = "He took St. John. Wort then. Rash came."
    document = read_document("d", text, [Mention(8, 22, "chemical", ("c",)), Mention(29, 33, "disease", ("d",))])
    assert [one.sentence for one in document.mentions] == [0, 1]
    assert text[slice(*document.sentences[0])] == "He took St. John. Wort then."


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (2, 99)])
def test_a_mention_outside_its_text_is_refused_without_quoting_it(span) -> None:
    with pytest.raises(ValueError, match="does not lie inside the text of 6 characters") as caught:
        read_document("7", "secret", [Mention(*span, "disease", ("d",))])
    assert "secret" not in str(caught.value)


def test_of_too_many_pairs_the_nearest_are_kept(monkeypatch) -> None:
    monkeypatch.setattr(documents_module, "MOST_PAIRS", 2)
    document = marked("[a] {p} and then a long way off [b] {q}")
    assert document.pairs() == [("a", "p"), ("b", "q")]


def test_words_are_read_with_the_mentions_masked_and_names_of_chemicals_never() -> None:
    document = marked("[Lithium]-induced {tremor} with [valproate].")
    grams = WordReader(document).grams(("lithium", "tremor"))
    assert {"cd=1:induced", "cd!-_induced", "cd>2:with_CX", "whole:tremor"} <= grams
    assert not any("lithium" in gram or "valproate" in gram for gram in grams)


def test_features_tell_title_order_and_rival() -> None:
    document = marked("[Lithium] and {tremor}. Later [aspirin] was given. [Aspirin] relieved {pain}.")
    told = FeatureReader(document).features(("lithium", "tremor"))
    assert (told["both_in_title"], told["n_shared"], told["token_gap"], told["chemical_before"]) == (1, 1, 1, 1)
    other = FeatureReader(document).features(("lithium", "pain"))
    assert (other["n_shared"], other["sentence_distance"], other["rank_chemical"]) == (0, 2, 1)
    assert gap(document.mentions[0], document.mentions[0]) == 0


@pytest.mark.parametrize(
    ("text", "wording", "cue"),
    [
        ("[Lithium]-induced {tremor} was seen.", "causes", "induced"),
        ("{Bleeding} after [aspirin].", "causes", "after"),
        ("The {rash} was attributed to [imatinib].", "causes", "attributed to"),
        ("He developed {rash} while on [imatinib].", "causes", "while on"),
        ("[Cisplatin] led to {renal failure} in two.", "causes", "led to"),
        ("[Imatinib] for {CML}.", "treats", "for"),
        ("[Imatinib] in the treatment of {CML} is old.", "treats", "in the treatment of"),
        ("Patients with {depression} were treated with [sertraline].", "treats", "treated with"),
        ("{CML}, on [imatinib] daily.", "treats", "on"),
        ("[Aspirin] did not cause {bleeding}.", "none", None),
        ("No {rash} and [imatinib] goes on.", "none", None),
        ("CHEM and DIS: [imatinib], {rash}", "none", None),
    ],
)  # fmt: skip
def test_wording_is_told_with_its_cue(text, wording, cue) -> None:
    document = marked(text)
    by_type = {one.mention.entity_type: one.mention[:2] for one in document.mentions}
    found = find_wording(document.text, (0, len(document.text)), by_type["chemical"], by_type["disease"])
    assert found.wording == wording
    assert (document.text[found.start : found.end] if cue else found.start) == cue


@settings(max_examples=100, deadline=None)
@given(st.text("abc ,:-()in of after treated with caused by\n", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_cue_lies_in_the_sentence_and_outside_the_mentions(text, first, second) -> None:
    whole = text[:first] + "Xdrug" + text[first:]
    first = min(first, len(text))
    second = min(second, len(whole))
    if first < second < first + 5:
        second = first
    whole = whole[:second] + "Yill" + whole[second:]
    chemical = (first, first + 5) if second > first else (first + 4, first + 9)
    disease = (second, second + 4)
    found = find_wording(whole, (0, len(whole)), chemical, disease)
    assert (found.wording == "none") == (found.start is None)
    if found.start is not None:
        cue = (found.start, found.end)
        assert 0 <= cue[0] < cue[1] <= len(whole)
        assert all(cue[1] <= span[0] or span[1] <= cue[0] for span in (chemical, disease))
        assert whole[cue[0]].strip()
        assert whole[cue[1] - 1].strip()


def test_every_pattern_of_the_list_names_the_pair_and_one_cue() -> None:
    for pattern in (*CAUSES, *TREATS):
        assert pattern.count("CHEM") == pattern.count("DIS") == pattern.count("<") == pattern.count(">") == 1
