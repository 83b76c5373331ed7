"""The gazetteer finds names and nothing else: longest first, whole, whatever sign they begin or end in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.choice import ExtractorError, choose_extractor, opened
from clinical_assets.entities.concepts import ConceptName
from clinical_assets.entities.gazetteer import GazetteerExtractor, gazetteer_names, names_revision
from clinical_assets.entities.windows import combined, extract_texts, windows_of
from clinical_assets.study.load import load_study
from tests.unit.entities.conftest import names_of, study_of

NAMES = {
    "chemical": {"imatinib": False, "(-)-nicotine": False, "5-fu": False, "ALL": True, "vitamin b12": False},
    "disease": {"leukemia": False, "chronic myeloid leukemia": False, "ph+": False, "myeloid": False},
}


def found(text: str) -> list[tuple[str, str]]:
    said = next(GazetteerExtractor(NAMES).extract([text]))
    return [(text[one.start : one.end], one.entity_type) for one in said.found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chronic Myeloid Leukemia on Imatinib.", [("Chronic Myeloid Leukemia", "disease"), ("Imatinib", "chemical")]),
        ("chronic myeloid disease", [("myeloid", "disease")]),
        ("(-)-nicotine and 5-FU", [("(-)-nicotine", "chemical"), ("5-FU", "chemical")]),
        ("He is Ph+, not Ph+++", [("Ph+", "disease"), ("Ph+", "disease")]),
        ("imatinibs leukemias pseudoleukemia", []),
        ("all patients with ALL", [("ALL", "chemical")]),
        ("leukemia_x x_leukemia", []),
        ("imatinib\u0301x \u017fleukemia leu\u212aemia", [("leu\u212aemia", "disease")]),
        ("", []),
        ("\x00\x01\x02\ufffd", []),
        ("Der Patient hat eine Leukämie.", []),
    ],
)
def test_what_is_found(text: str, expected: list[tuple[str, str]]) -> None:
    got = found(text)
    assert [pair for pair in got if pair[0] != "imatinib"] == expected


def test_a_name_of_two_types_is_always_the_same_one() -> None:
    both = {"chemical": {"iron": False}, "disease": {"iron": False}}
    assert next(GazetteerExtractor(both).extract(["iron"])).found[0].entity_type == "chemical"


def test_another_set_of_names_is_another_extractor() -> None:
    assert names_revision(NAMES) == GazetteerExtractor(NAMES).model_revision
    assert names_revision(NAMES) != names_revision({**NAMES, "disease": {"gout": False}})


def test_names_come_from_the_study_the_lists_and_the_vocabulary() -> None:
    concepts = [
        ConceptName("disease", 1, "alpha syndrome", 0),
        ConceptName("disease", 2, "abc", 1),
        ConceptName("chemical", 3, "1,2-3", 0),
    ]
    names = gazetteer_names(load_study(), concepts)
    assert names["disease"]["alpha syndrome"] is False
    assert {"gleevec", "imatinib"} <= set(names["chemical"])
    assert {"cml", "diabetes"} <= {name.lower() for name in names["disease"]}
    assert "abc" not in names["disease"]
    assert "1,2-3" not in names["chemical"]


def test_an_unknown_extractor_is_refused_with_those_that_are_known(tmp_path) -> None:
    with pytest.raises(ExtractorError, match="no extractor 'nonsense'; known: spacy, gazetteer, llama"):
        choose_extractor(study_of(extractor="nonsense"), names_of(), tmp_path, {"llama": lambda: None})  # type: ignore[dict-item, return-value]
    chosen = choose_extractor(study_of(extractor="gazetteer"), names_of(), tmp_path)
    with opened(chosen, lambda line: None) as extractor:
        assert extractor.model_revision == chosen.identity["model_revision"]


WORDS = st.sampled_from(
    [
        "imatinib",
        "chronic",
        "myeloid",
        "leukemia",
        "(-)-nicotine",
        "ALL",
        "all",
        "Ph+",
        ".",
        ",",
        "\n",
        "no",
        "5-fu",
        "é",
        "İ",
        "\u2028",
    ]
)
TEXTS = st.lists(WORDS, max_size=40).map(" ".join) | st.text(max_size=200)


@given(TEXTS)
def test_offsets_always_stand_in_the_text_and_reading_twice_changes_nothing(text: str) -> None:
    extractor = GazetteerExtractor(NAMES)
    one, two = extract_texts(extractor, [text, text])
    assert one == two
    for mention in one.found:
        said = text[mention.start : mention.end]
        assert any(re.fullmatch(re.escape(name), said, re.IGNORECASE) for name in NAMES[mention.entity_type])


@given(TEXTS, st.integers(20, 60))
def test_windows_are_the_text_and_hold_what_the_whole_holds(text: str, room: int) -> None:
    windows = windows_of(text, room)
    assert "".join(text[a:b] for a, b in windows) == text
    assert all(b - a <= room for a, b in windows)


@settings(max_examples=60)
@given(
    st.lists(
        st.lists(WORDS.filter(lambda w: w not in {".", "\n", "\u2028"}), min_size=1, max_size=6),
        min_size=1,
        max_size=40,
    )
)
def test_sentences_read_in_windows_are_sentences_read_at_once(sentences: list[list[str]]) -> None:
    text = "\n\n".join(" ".join(words) + "." for words in sentences)
    extractor = GazetteerExtractor(NAMES)
    whole = next(extractor.extract([text]))
    parts = [(a, next(extractor.extract([text[a:b]]))) for a, b in windows_of(text, 400)]
    assert combined(parts).found == whole.found
