"""Relations and the knowledge graph in the real graph: a model from a corpus, relations of a batch, counts of all batches."""

from __future__ import annotations

import contextlib

import dagster as dg
import networkx
import pyarrow as pa
import pytest

from clinical_assets.entities.corpora.store import store_corpora
from clinical_assets.entities.extraction import Extraction
from clinical_assets.entities.relations.assets import SCORE_BATCH, SCORE_TABLE
from clinical_assets.storage.contracts import LAKE_TABLES, NOTES
from clinical_assets.storage.entity_contracts import MENTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from clinical_assets.synthetic import entity_corpus
from tests.unit.entities.test_note_relations import noted, stored

TOLD = "He developed {rash} while taking [imatinib]. The {rash} was attributed to [imatinib]."


@pytest.fixture
def lake(hospital, monkeypatch, tmp_path) -> Lake:
    """A lake with the demo corpus, and a study whose smallest cell is 3."""
    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    assert "small_cell_threshold: 11" in text
    study.write_text(text.replace("small_cell_threshold: 11", "small_cell_threshold: 3"), encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    monkeypatch.setattr(entity_corpus, "_SIZES", {"train": (4, 40), "dev": (2, 12)})
    entity_corpus.write_corpus(hospital.data / "landing")
    lake = Lake(hospital.data / "lake")
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    store_corpora(lake, hospital.data / "landing" / "corpora")
    return lake


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def passed(result) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


@contextlib.contextmanager
def listing(study, settings, log):
    """A language model that lists nothing."""

    class Lister:
        name, model_revision, adapter_sha = "lists_nothing", "1", ""

        def extract(self, texts):
            yield from (Extraction(()) for _ in texts)

    yield Lister()


def test_from_a_corpus_to_relations_of_notes_to_a_graph_of_persons(lake, hospital, execute, monkeypatch) -> None:
    # notes 1 to 3 say it, note 4 denies it
    found = [noted(TOLD, i) for i in (1, 2, 3)]
    found.append(noted("No {rash} on [imatinib].", 4, {"rash": "negated"}))
    lake.write("notes/notes", stored({i: text for i, (_, text) in enumerate(found, 1)}), NOTES, batch="b1")
    rows = pa.Table.from_pylist([row for mentions, _ in found for row in mentions], MENTIONS)
    lake.write("entities/mentions", rows, MENTIONS, batch="b1")

    undecided = execute("relate_note_batch", "b1")
    assert metadata(undecided, "entities/relations")["n_undecided"] == 4
    assert {row["value"] for row in lake.read("entities/relations", "b1").to_pylist()} == {None}

    # where a language model reads the notes, it is judged beside the others
    monkeypatch.setattr("clinical_assets.entities.relations.assets.studys_lister", listing)
    trained = execute("train_relation_model")
    (check,) = trained.get_asset_check_evaluations()
    assert check.check_name == "model_finds_more_than_co_occurrence"
    assert check.metadata["not_better"].value == ["demo dev relations_found_entities lists_nothing"]
    scores = lake.read(SCORE_TABLE, SCORE_BATCH).to_pylist()
    assert {row["extractor"] for row in scores} == {
        "lightgbm", "co_occurrence_abstract", "co_occurrence_sentence", "lists_nothing",
    }  # fmt: skip

    related = execute("relate_note_batch", "b1")
    told = metadata(related, "entities/relations")
    assert told["relation_model"] == "lightgbm@" + metadata(trained, "entities/relation_model")["model_sha"]
    assert told["n_undecided"] == 0
    assert all(passed(related).values())
    assert {"every_relation_names_two_mentions_of_its_note", "evidence_lies_inside_the_note"} <= set(passed(related))
    relations = {row["note_id"]: row for row in lake.read("entities/relations", "b1").to_pylist()}
    assert [relations[i]["wording"] for i in (1, 2, 3)] == ["causes"] * 3
    assert relations[4]["disease_assertion"] == "negated"

    built = execute("build_entity_graph")
    assert passed(built) == {"no_edge_without_its_nodes": True, "no_small_cell_is_shown": True}
    nodes = {row["entity_key"]: row for row in lake.read("entities/graph_nodes").to_pylist()}
    assert nodes["text:imatinib"]["n_persons"] is not None  # of 4, note 4 takes it too
    edges = {row["edge_type"]: row for row in lake.read("entities/graph_edges").to_pylist()}
    # 3 of the 4 who take it: who is left would be one person, so the edges are withheld
    assert edges["worded_causes"]["suppressed"]
    assert edges["worded_causes"]["n_persons"] is None
    graph = networkx.read_graphml(hospital.data / "exports" / "entities" / "graph.graphml", force_multigraph=True)
    assert set(graph.nodes) == {"text:imatinib", "text:rash"}
    assert graph.number_of_edges() == 0


def test_without_a_corpus_training_says_what_to_land(lake, execute, hospital) -> None:
    for path in (hospital.data / "landing" / "corpora").iterdir():
        path.unlink()
    store_corpora(lake, hospital.data / "landing" / "corpora")
    with pytest.raises(dg.Failure, match="land a larger corpus in landing/corpora"):
        execute("train_relation_model")
