"""From tokens to mentions: tags and back, the best legal tags, one voice per document, models that are what they were."""

from __future__ import annotations

import itertools
import json
import pickletools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.abbreviations import long_forms
from clinical_assets.entities.corpora.annotated import CorpusError
from clinical_assets.entities.corpora.training import gather
from clinical_assets.entities.name_baseline import learn_names
from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.tagger import one_voice
from clinical_assets.entities.tagger_store import FOLDER, TaggerError
from clinical_assets.entities.tags import TAGS, best_tags, decode_tags, encode_tags
from clinical_assets.entities.tokens import tokenize
from clinical_assets.entities.word_classes import ClassSettings, learn_vectors, word_clusters
from tests.unit.entities.tiny_tagger import placed, train


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train(folder)
    return folder


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_tokens_are_the_characters_of_the_text_in_order(text: str) -> None:
    last = 0
    for start, end, word in tokenize(text):
        assert last <= start < end <= len(text)
        assert text[start:end] == word
        assert not text[last:start].strip()
        last = end
    assert not text[last:].strip()


def test_hyphen_slash_and_brackets_stand_apart() -> None:
    words = [word for *_, word in tokenize("lithium-induced NDI/polyuria (TKI)-related 5-HT")]
    assert words == ["lithium", "-", "induced", "NDI", "/", "polyuria", "(", "TKI", ")", "-", "related", "5", "-", "HT"]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["", "chemical", "disease"])), min_size=1, max_size=10))
def test_mentions_become_tags_and_mentions_again(parts: list[tuple[int, str]]) -> None:
    text, mentions = "", []
    for n, kind in parts:
        words = " ".join(["word"] * n)
        if kind:
            mentions.append((len(text), len(text) + len(words), kind))
        text += words + " "
    tokens = tokenize(text)
    assert [f[:3] for f in decode_tags(tokens, encode_tags(tokens, mentions))] == mentions


def test_the_best_tags_are_the_best_of_all_legal_ones() -> None:
    rng = np.random.default_rng(5)

    def legal(path: tuple[int, ...]) -> bool:
        names = ["O", *(TAGS[i] for i in path), "O"]
        for a, b in itertools.pairwise(names):
            closed, opens = a[0] in "OES", b[0] in "OBS"
            if not ((closed and opens) or (not closed and not opens and a[2:] == b[2:])):
                return False
        return True

    for _ in range(5):
        p = rng.dirichlet(np.ones(len(TAGS)) * 0.5, size=4)
        bonus = rng.normal(0, 0.5, len(TAGS))
        scores = np.log(p + 1e-6) + bonus
        best = max(
            (path for path in itertools.product(range(len(TAGS)), repeat=4) if legal(path)),
            key=lambda path: sum(scores[i, tag] for i, tag in enumerate(path)),
        )
        assert best_tags(p, bonus) == [TAGS[i] for i in best]
    assert best_tags(np.zeros((0, len(TAGS)))) == []


def test_a_name_found_once_is_found_wherever_nothing_speaks_against_it() -> None:
    tokens = tokenize("renal failure then renal failure and no renal failure")
    tags = ["B-disease", "E-disease", *["O"] * 7]
    p = np.full((9, len(TAGS)), 0.02)
    p[6:, 1:] = 0.001
    assert one_voice(tokens, p, tags, 0.05)[3:5] == ["B-disease", "E-disease"]
    assert one_voice(tokens, p, tags, 0.05)[7:] == ["O", "O"]
    assert one_voice(tokens, p, tags, 2.0) == tags


def test_abbreviations_are_found_where_they_are_explained() -> None:
    words = [
        word
        for *_, word in tokenize(
            "chronic myeloid leukemia (CML) and nothing (see below) or heparin-induced thrombocytopenia (HIT)"
        )
    ]
    found = {short: " ".join(words[a:b]) for short, (a, b) in long_forms(words).items()}
    assert found == {"CML": "chronic myeloid leukemia", "HIT": "heparin - induced thrombocytopenia"}


def test_words_that_are_used_alike_share_a_class() -> None:
    rng = np.random.default_rng(0)
    drugs, diseases, fill = (
        [f"drug{c}" for c in "abcdefgh"],
        [f"sick{c}" for c in "abcdefgh"],
        [f"x{i}" for i in "abcdefghijklmnopqr"],
    )
    texts = [
        f"{rng.choice(fill)} patient was given {rng.choice(drugs)} daily because of {rng.choice(diseases)} and {rng.choice(fill)} improved"
        for _ in range(600)
    ]
    small = ClassSettings(dimensions=10, clusters=(6,), least=2, most_words=100)
    vectors = learn_vectors(texts, small, lambda _: None)
    assert vectors is not None
    classes = word_clusters(vectors, small)
    assert len({classes[word] for word in drugs}) == 1
    assert len({classes[word] for word in diseases}) == 1
    assert classes["druga"] != classes["sicka"]
    assert learn_vectors(["too few"], small, lambda _: None) is None


def test_a_trained_tagger_finds_what_it_was_taught_in_new_sentences(models: Path) -> None:
    extractor = load_spacy_extractor(models)
    texts = [
        "Given warfarin for asthma and lithium.",
        "   ",
        "",
        "Case 7. Given imatinib for chronic renal failure and aspirin.",
    ]
    one, blank, empty, other = extractor.extract(texts)
    assert {(texts[0][f.start : f.end], f.entity_type) for f in one.found} >= {
        ("warfarin", "chemical"),
        ("asthma", "disease"),
    }
    assert ("chronic renal failure", "disease") in {(texts[3][f.start : f.end], f.entity_type) for f in other.found}
    assert all(0 < f.confidence <= 1 for f in (*one.found, *other.found))
    assert (blank.status, empty.status) == ("no_text", "no_text")
    assert next(extractor.extract(["word " * 50_000])).status == "too_long"
    assert (extractor.name, extractor.decoding, len(extractor.model_revision)) == ("spacy", "tagger", 32)


def test_texts_together_and_alone_give_the_same(models: Path) -> None:
    extractor = load_spacy_extractor(models)
    texts = [p.document.text for p in placed(5)] + ["", "\x00\ufffd \u2028 nothing"]
    assert list(extractor.extract(texts)) == [next(extractor.extract([text])) for text in texts]


def test_the_same_training_gives_the_same_model_and_is_not_done_twice(models: Path, tmp_path: Path) -> None:
    again = train(models)
    assert again.told["n_trained"] == 0
    assert train(tmp_path / "elsewhere").digest == again.digest
    assert not list((models / FOLDER).glob(".*"))


def test_no_model_and_a_changed_model_are_refused_with_a_remedy(models: Path, tmp_path: Path) -> None:
    import shutil

    with pytest.raises(TaggerError, match=r"landing/corpora and run the job train_entity_model"):
        load_spacy_extractor(tmp_path)
    copy = tmp_path / "models"
    shutil.copytree(models, copy)
    folder = copy / FOLDER / json.loads((copy / FOLDER / "promoted.json").read_text())["model_sha"]
    files = [p for p in folder.rglob("*") if p.is_file()]
    for path in (
        folder / "chain.crfsuite",
        folder / "network" / "config.cfg",
        folder / "model.json",
        folder / "extra.bin",
    ):
        before = path.read_bytes() if path in files else None
        path.write_bytes((before or b"") + b" ")
        with pytest.raises(TaggerError, match=r"was changed after it was written|is no entity model"):
            load_spacy_extractor(copy)
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
    load_spacy_extractor(copy)
    (copy / FOLDER / "promoted.json").write_text("{", encoding="utf-8")
    with pytest.raises(TaggerError, match="cannot be read"):
        load_spacy_extractor(copy)


def test_nothing_of_a_model_is_a_pickle_and_loading_unpickles_nothing(models: Path, monkeypatch) -> None:
    import pickle

    def refuse(*_args, **_kwargs):
        raise AssertionError("something was unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    load_spacy_extractor(models)
    for path in (models / FOLDER).rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05":
            with pytest.raises(ValueError, match=r"."):
                list(pickletools.genops(content))


def test_what_is_trained_on_and_what_gives_names() -> None:
    both, one_kind = placed(6, "both"), []
    for p in placed(6, "one"):
        kept = tuple(m for m in p.document.mentions if m.entity_type == "disease")
        one_kind.append(
            type(p)(
                p.corpus, p.split, type(p.document)(f"x{p.document.doc_id}", p.document.text + " Else.", kept), "", ""
            )
        )
    given = gather([*both, *one_kind], [("chemical", "Glivec tablets")])
    assert given.corpora == ("both",)
    assert len(given.documents) == 6
    assert given.names.words["failure"] == ("corpora disease",)
    assert given.names.words["glivec"] == ("vocabulary chemical",)
    assert "imatinib" not in given.names.words
    judged = [type(p)(p.corpus, "dev", p.document, "", "") for p in placed(2, "else")]
    assert gather([*both, *judged], []).n_leaking == 2
    assert gather([*both, *one_kind], [], ("one",)).corpora == ("one",)
    with pytest.raises(CorpusError, match=r"names absent; landed are both"):
        gather(both, [], ("absent",))
    with pytest.raises(CorpusError, match=r"no annotated document in a train split"):
        gather([], [])


def test_the_baseline_knows_the_names_of_the_train_split_only() -> None:
    baseline = learn_names(
        (p.document.text, [(m.start, m.end, m.entity_type) for m in p.document.mentions]) for p in placed(6)
    )
    text = "WARFARIN for chronic renal failure, not renal failure, and digoxin."
    (found,) = baseline.extract([text])
    assert [(text[f.start : f.end], f.entity_type) for f in found.found] == [
        ("WARFARIN", "chemical"),
        ("chronic renal failure", "disease"),
    ]
