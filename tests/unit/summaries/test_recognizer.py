"""A model's entities through the same contract as our own: a blank pipeline with a ruler stands in for scispaCy's model."""

from __future__ import annotations

import importlib.util
import sys
import types

import pytest

from clinical_assets.summaries import recognizer as room
from clinical_assets.summaries.extraction import FactExtractor, extractor_for
from clinical_assets.summaries.recognizer import SCISPACY_MODEL, SpacyRecognizer, recognizer_name
from clinical_assets.summaries.vocabulary import Vocabulary, vocabulary_of

TEXT = "Night sweats for weeks. No splenic rupture, no rash. On imatinib 400 mg daily, Zorvix 20 mg daily. Hb 12.1."


@pytest.fixture(scope="module")
def pipeline():
    import spacy

    made = spacy.blank("en")
    made.add_pipe("entity_ruler").add_patterns(
        [
            {"label": "ENTITY", "pattern": [{"LOWER": "night"}, {"LOWER": "sweats"}]},
            {"label": "ENTITY", "pattern": [{"LOWER": "splenic"}, {"LOWER": "rupture"}]},
            {"label": "ENTITY", "pattern": [{"LOWER": "rash"}]},
            {"label": "CHEMICAL", "pattern": "Zorvix"},
            {"label": "ENTITY", "pattern": "."},
        ]
    )
    return made


def found(extractor) -> set[tuple[str, str, bool]]:
    return {(f.kind, f.key, f.negated) for f in extractor.extract(TEXT)}


def test_a_models_entities_are_facts_with_negation_and_doses(study, pipeline) -> None:
    vocabulary = vocabulary_of(study)
    own, both = found(FactExtractor(vocabulary)), found(FactExtractor(vocabulary, SpacyRecognizer(pipeline)))
    assert both - own == {
        ("concept", "night sweats", False),
        ("concept", "splenic rupture", True),
        ("drug", "zorvix", False),
        ("dose", "zorvix 20 mg", False),
    }
    assert ("disease", "rash", True) in own & both  # what the vocabulary knows keeps its kind
    assert own - both == {("dose", "imatinib 20 mg", False)}  # who knows the drug knows whose dose it is


def test_a_text_longer_than_the_models_maximum_is_read(pipeline) -> None:
    reader = SpacyRecognizer(pipeline)
    pipeline.max_length = 50
    assert [TEXT[start:end] for start, end, _ in reader.find(TEXT)][:1] == ["Night sweats"]


def test_the_study_chooses_and_never_falls_back_in_silence(study, pipeline, monkeypatch) -> None:
    assert recognizer_name("own") is None
    if importlib.util.find_spec(SCISPACY_MODEL) is None:
        assert recognizer_name("auto") is None
        with pytest.raises(ModuleNotFoundError, match="choose auto or own"):
            recognizer_name("scispacy")
    monkeypatch.setitem(sys.modules, SCISPACY_MODEL, types.ModuleType(SCISPACY_MODEL))
    sys.modules[SCISPACY_MODEL].__spec__ = importlib.util.spec_from_loader(SCISPACY_MODEL, None)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.5.4")
    vocabulary = vocabulary_of(study)
    assert vocabulary.recognizer == "en_core_sci_sm@0.5.4"
    assert vocabulary.sha != Vocabulary(vocabulary.names).sha  # other summaries
    room.load_recognizer.cache_clear()
    monkeypatch.setattr("spacy.load", lambda name, exclude: pipeline)
    assert ("concept", "night sweats", False) in found(extractor_for(vocabulary))
    room.load_recognizer.cache_clear()


@pytest.mark.skipif(importlib.util.find_spec(SCISPACY_MODEL) is None, reason=f"{SCISPACY_MODEL} is not installed")
def test_the_real_model() -> None:
    reader = room.load_recognizer(recognizer_name("scispacy"))
    assert any("imatinib" in TEXT[start:end] for start, end, _ in reader.find(TEXT))
