"""The model of relations: learning, threshold, folds, the store, scores, and what BC5CDR gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.corpora.pubtator import parse_pubtator
from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.entities.relations.corpora import Annotated, as_document
from clinical_assets.entities.relations.evaluation import CodeBook, found_documents, listed_scores, relation_scores
from clinical_assets.entities.relations.learning import Parameters, TooFewRelations, best_threshold, train_relations
from clinical_assets.entities.relations.model import CONTEXT, among_others, pair_table
from clinical_assets.entities.relations.store import FOLDER, load_relation_model, save_relation_model
from clinical_assets.storage.content_folder import FolderError
from clinical_assets.storage.model_folder import (
    load_model_files,
    promoted_model,
    save_model_files,
)
from tests.unit.entities.relation_texts import marked, written

SMALL = Parameters(n_trees=30, n_bags=1, n_folds=3, least_in_leaf=5)


@pytest.fixture(scope="module")
def model():
    return train_relations(*written(60), SMALL)


def test_it_learns_which_wording_is_a_relation(model) -> None:
    documents, gold = written(40, seed=1)
    said = [{pair for pair, p in one.items() if p >= model.threshold} for one in model.probabilities(documents)]
    assert sum(len(a & b) for a, b in zip(said, gold, strict=True)) >= 36
    assert sum(map(len, said)) <= 44
    assert model.card["n_documents"] == 60


def test_a_document_without_a_pair_has_no_relation(model) -> None:
    assert model.probabilities([marked("Nothing here."), marked("[lithium] only")]) == [{}, {}]


def test_the_same_documents_give_the_same_model(model, tmp_path) -> None:
    again = train_relations(*written(60), SMALL)
    assert save_relation_model(tmp_path, model) == save_relation_model(tmp_path, again)
    assert len([p for p in (tmp_path / FOLDER).iterdir() if p.is_dir()]) == 1


def test_a_stored_model_says_the_same_and_holds_no_word_of_a_text(model, tmp_path) -> None:
    digest = save_relation_model(tmp_path, model)
    found = load_relation_model(tmp_path)
    assert found is not None
    assert found[0] == digest
    documents, _ = written(5, seed=2)
    assert found[1].probabilities(documents) == model.probabilities(documents)
    assert found[1].threshold == model.threshold
    stored = b"".join(path.read_bytes() for path in (tmp_path / FOLDER / digest).iterdir()).lower()
    assert not [word for word in (b"tremor", b"cisplatin", b"mania") if word in stored]


def test_no_model_is_none_and_a_changed_one_is_refused(model, tmp_path) -> None:
    assert load_relation_model(tmp_path) is None
    digest = save_relation_model(tmp_path, model)
    path = tmp_path / FOLDER / digest / "model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "threshold": 0.0}))
    with pytest.raises(FolderError, match="was changed after it was written"):
        load_relation_model(tmp_path)


def test_a_model_of_other_features_is_refused(model) -> None:
    table = pair_table(written(2)[0])
    other = type(table)((*table.names[:-1], "other"), table.features, table.buckets, table.document, table.pairs)
    with pytest.raises(ValueError, match="train it anew"):
        model.predict(other)


def test_too_few_relations_are_refused_with_numbers() -> None:
    documents, gold = written(5)
    with pytest.raises(TooFewRelations, match=r"5 documents .* at least 10 documents"):
        train_relations(documents, gold, SMALL)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30), st.integers(0, 5))
def test_the_threshold_is_that_of_trying_them_all(rows, missed) -> None:
    p = np.asarray([value / 8 for value, _ in rows])
    y = np.asarray([flag for _, flag in rows])
    n_gold = int(y.sum()) + missed

    def f1(threshold):
        said = p >= threshold
        return 2 * (said & y).sum() / (said.sum() + n_gold)

    threshold, best = best_threshold(p, y, n_gold)
    assert best == pytest.approx(max(f1(one) for one in p)) == pytest.approx(f1(threshold))


def test_pairs_are_set_against_the_others_of_their_document_only() -> None:
    documents = [marked("[a] {p}. [b] {q}."), marked("[a] {p}.")]
    table = pair_table(documents)
    assert table.pairs == [("a", "p"), ("a", "q"), ("b", "p"), ("b", "q"), ("a", "p")]
    found = dict(zip(CONTEXT, among_others(table, np.asarray([4.0, 1.0, 2.0, 3.0, 9.0])).T, strict=True))
    assert found["words_rank"].tolist() == [0, 3, 2, 1, 0]
    assert found["words_below_best_of_disease"].tolist() == [0, 2, 2, 0, 0]
    assert found["words_mean_of_chemical"].tolist() == [2.5, 2.5, 2.5, 2.5, 9]


def test_scores_of_a_hand_counted_corpus() -> None:
    documents = [marked("[Xeno] and {pox}. [Yttria] and {gout}.", "1"), marked("[Xeno] came. {Pox} went.", "2")]
    annotated = Annotated("c", "dev", documents, [{("xeno", "pox"), ("yttria", "gone")}, {("xeno", "pox")}], "sha")
    rows = list(relation_scores(annotated, documents, "relations_gold_entities", None, ""))
    of = {(row["extractor"], row["average"]): row for row in rows}
    abstract, sentence = of["co_occurrence_abstract", "micro"], of["co_occurrence_sentence", "micro"]
    assert [abstract[n] for n in ("n_gold", "n_found", "n_true_positive")] == [3, 5, 2]
    assert [sentence[n] for n in ("n_gold", "n_found", "n_true_positive")] == [3, 2, 1]
    assert (sentence["precision"], sentence["recall"], sentence["f1"]) == (0.5, pytest.approx(1 / 3, abs=1e-6), 0.4)
    assert abstract["f1_low"] <= abstract["f1"] <= abstract["f1_high"]
    assert of["co_occurrence_sentence", "document"]["f1"] == 0.25


def test_found_mentions_get_the_codes_of_training_and_unknown_ones_none() -> None:
    class Finder:
        name = model_revision = adapter_sha = prompt_sha = decoding = ""

        def extract(self, texts):
            yield from (Extraction((Found(0, 1, "chemical"), Found(2, 3, "disease"))) for _ in texts)

    book = CodeBook([marked("[A] {p}"), marked("[B] {q}")])
    found = found_documents([marked("[A] {p}"), marked("[A] {z}")], Finder(), book)
    assert [one.pairs() for one in found] == [[("a", "p")], []]
    assert len(found[1].mentions) == 2


def test_relations_that_a_language_model_lists_are_judged_as_the_annotators_would_name_them() -> None:
    class Lister:
        name, model_revision, adapter_sha = "llm", "1", "a" * 8

        def extract(self, texts):
            for text in texts:
                drug = Found(0, 1, "chemical", part=0, influences=(2,) if "p" in text else ())
                yield Extraction((drug, Found(2, 3, "disease", part=0)) if "x" not in text else (), "extracted")

    documents = tuple(marked(text) for text in ("[A] {p}", "[A] {q}", "[B] {p}", "[x] {p}"))
    gold = ({("a", "p")}, {("a", "q")}, {("b", "p")}, {("x", "p")})
    part = Annotated("c", "dev", documents, gold, "sha")
    # nobody gave B a code: what is found of it is lost; q is not listed, x not found
    book = CodeBook([marked("[A] {p}"), marked("[A] {q}")])
    micro, _ = listed_scores(part, Lister(), book)
    assert (micro["task"], micro["extractor"], micro["model_revision"]) == ("relations_found_entities", "llm", "a" * 8)
    assert (micro["n_gold"], micro["n_found"], micro["n_true_positive"]) == (4, 1, 1)


KILLED = """
import sys
from pathlib import Path
from clinical_assets.storage.model_folder import save_model_files
print(save_model_files(Path(sys.argv[1]), {"model.json": sys.argv[2].encode()}))
"""


@pytest.mark.parametrize("place", ["content_folder.before_replace", "model_folder.after_replace"])
def test_a_save_killed_anywhere_leaves_the_old_model_in_use_and_can_be_done_again(tmp_path, place) -> None:
    def save(content: str, failpoint: str = "") -> int:
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), content],
            env={**os.environ, "CLINICAL_FAILPOINT": failpoint},
            capture_output=True,
            check=False,
        ).returncode

    assert save("old") == 0
    old = promoted_model(tmp_path)
    assert save("new", place) < 0
    assert promoted_model(tmp_path) == old
    assert load_model_files(tmp_path, old) == {"model.json": b"old"}
    assert save("new") == 0
    assert load_model_files(tmp_path, promoted_model(tmp_path)) == {"model.json": b"new"}


@pytest.mark.parametrize("names", [[], ["../x"], ["a/b"], [".hidden"]])
def test_files_of_a_model_have_plain_names(tmp_path, names) -> None:
    with pytest.raises(ValueError, match="plain file name"):
        save_model_files(tmp_path, dict.fromkeys(names, b""))


def test_an_unreadable_pointer_is_told(tmp_path) -> None:
    (tmp_path / "promoted.json").write_text('{"model_sha": "../../etc"}')
    with pytest.raises(FolderError, match="remove it and train the model again"):
        promoted_model(tmp_path)
    with pytest.raises(FolderError, match="train the model again"):
        load_model_files(tmp_path, "0" * 32)


def read_bc5cdr(path: Path):
    found = parse_pubtator(path.read_text(encoding="utf-8")).documents
    return [as_document(one) for one in found], [set(one.relations) for one in found]


def test_bc5cdr_relations_with_gold_entities_reach_the_target(public_data) -> None:
    folder = public_data / "ner_re" / "bc5cdr"
    # fewer rounds than in use, so that the test is quick; benchmarks/relations_public.py has the whole
    quick = Parameters(n_trees=120, learning_rate=0.05, n_bags=1, n_folds=3)
    model = train_relations(*read_bc5cdr(folder / "CDR_TrainingSet.PubTator.txt"), quick)
    documents, gold = read_bc5cdr(folder / "CDR_DevelopmentSet.PubTator.txt")
    annotated = Annotated("bc5cdr", "dev", documents, gold, "")
    rows = relation_scores(annotated, documents, "relations_gold_entities", model, "")
    f1 = {row["extractor"]: row["f1"] for row in rows if row["average"] == "micro"}
    assert f1["co_occurrence_abstract"] == pytest.approx(0.3227, abs=0.0005)
    assert f1["co_occurrence_sentence"] == pytest.approx(0.4397, abs=0.0005)
    assert f1["lightgbm"] >= 0.58
