"""The knowledge graph: what is counted, what is withheld, what the files hold."""

from __future__ import annotations

import datetime as dt
import itertools

import networkx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.entities.graph.counting import count_tables
from clinical_assets.entities.graph.export import export_graph
from clinical_assets.entities.graph.figure import graph_figure
from clinical_assets.entities.graph.verdicts import n_edges_without_nodes, small_cells
from clinical_assets.entities.graph.withholding import nested_pairs, withhold
from clinical_assets.statistics.suppression import Sum, exposed
from clinical_assets.storage.entity_contracts import GRAPH_EDGES, GRAPH_NODES, MENTIONS, RELATIONS

DRUG, ILL = "concept:1", "concept:2"


def mention(note_id: int, key: str, kind: str = "disease", **more):
    row = {"note_id": note_id, "note_sha256": f"sha{note_id}", "batch": "b1", "person_id": note_id, "entity_type": kind,
           "note_date": dt.date(2020, 1, 1) + dt.timedelta(days=31 * note_id), "normalised": key, "assertion": "affirmed",
           "entity_key": key, "concept_id": int(key[-1]), "concept_name": f"name {key[-1]}", "vocabulary_id": "V", "concept_code": "C"}  # fmt: skip
    return {**row, **more}


def relation(note_id: int, **more):
    row = {k: v for k, v in mention(note_id, DRUG).items() if k in RELATIONS.names}
    row |= {"relation": "chemical_induces_disease", "chemical_key": DRUG, "disease_key": ILL, "probability": 0.5, "value": True,
            "wording": "causes", "sentences_apart": 0, "chemical_assertion": "affirmed", "disease_assertion": "affirmed"}  # fmt: skip
    return {**row, **more}


def counted(mentions, relations, notes=None):
    n = {m["note_id"] for m in mentions}
    notes = notes or [
        {"note_id": i, "note_date": dt.date(2020, 1, 1), "batch": "b1", "text_sha256": f"sha{i}"} for i in n
    ]
    some = lambda rows, schema: pa.Table.from_pylist(  # noqa: E731
        rows, pa.schema([schema.field(name) for name in rows[0]]) if rows else schema
    )
    return count_tables(pa.Table.from_pylist(notes), some(mentions, MENTIONS), some(relations, RELATIONS))


def test_synonyms_of_a_concept_are_one_node_and_only_what_is_asserted_counts() -> None:
    nodes, edges = counted(
        [
            mention(1, ILL, normalised="cml"),
            mention(1, ILL, normalised="chronic myeloid leukaemia"),
            mention(2, ILL, assertion="historical"),
            mention(3, ILL, assertion="negated"),
            mention(4, "concept:3", assertion="family"),
        ],
        [],
    )
    assert edges == []
    (node,) = nodes
    assert {k: node[k] for k in ("entity_key", "name", "n_mentions", "n_names", "n_notes", "n_persons")} == {
        "entity_key": ILL, "name": "name 2", "n_mentions": 3, "n_names": 3, "n_notes": 2, "n_persons": 2,
    }  # fmt: skip
    assert (node["first_seen"], node["last_seen"]) == (dt.date(2020, 2, 1), dt.date(2020, 3, 1))


def test_each_kind_of_edge_is_counted_by_itself_and_denied_ones_not() -> None:
    mentions = [one for i in range(1, 6) for one in (mention(i, DRUG, "chemical"), mention(i, ILL))]
    _, edges = counted(
        mentions,
        [
            relation(1),
            relation(2, value=False, wording="treats", probability=0.1),
            relation(3, sentences_apart=2, wording="none", probability=0.7),
            relation(4, disease_assertion="negated"),
            relation(5, value=None, probability=None, wording="none"),
        ],
    )
    assert {edge["edge_type"]: edge["n_persons"] for edge in edges} == {
        "same_sentence": 3, "chemical_induces_disease": 2, "worded_treats": 1, "worded_causes": 1,
    }  # fmt: skip
    means = {edge["edge_type"]: edge["mean_probability"] for edge in edges}
    assert means["chemical_induces_disease"] == pytest.approx(0.6)
    assert means["same_sentence"] is None


def test_of_a_note_that_landed_twice_the_current_version_counts() -> None:
    twice = [mention(1, ILL), mention(1, ILL, batch="b2", note_sha256="new", entity_key="concept:4", concept_id=4)]
    notes = [
        {"note_id": 1, "note_date": dt.date(2020, 1, 1), "batch": batch, "text_sha256": sha}
        for batch, sha in (("b1", "sha1"), ("b2", "new"))
    ]
    nodes, _ = counted(twice, [], notes)
    assert [node["entity_key"] for node in nodes] == ["concept:4"]


def test_relations_older_than_the_mentions_of_their_note_make_no_edge() -> None:
    nodes, edges = counted([mention(1, DRUG, "chemical"), mention(1, "concept:9")], [relation(1)])
    assert [node["entity_key"] for node in nodes] == [DRUG, "concept:9"]
    assert edges == []


def test_an_empty_lake_gives_an_empty_graph() -> None:
    assert counted([], [], [{"note_id": 1, "note_date": dt.date(2020, 1, 1), "batch": "b", "text_sha256": "s"}]) == (
        [],
        [],
    )


@st.composite
def graphs(draw):
    """True graphs: persons at random have entities, and pairs of them at random kinds of edges."""
    persons = range(draw(st.integers(1, 9)))
    drugs, ills = ["c1", "c2"], ["d1", "d2"]
    has = {key: {p for p in persons if draw(st.booleans())} for key in (*drugs, *ills)}
    nodes = [node(key, "chemical" if key[0] == "c" else "disease", len(who)) for key, who in has.items() if who]
    edges = []
    for drug, ill in itertools.product(drugs, ills):
        both = sorted(has[drug] & has[ill])
        same = {p for p in both if draw(st.booleans())}
        sets = {
            "same_sentence": same,
            "chemical_induces_disease": {p for p in both if draw(st.booleans())},
            "worded_treats": {p for p in same if draw(st.booleans())},
            "worded_causes": {p for p in same if draw(st.booleans())},
        }
        edges += [edge(drug, ill, kind, len(who)) for kind, who in sets.items() if who]
    return nodes, edges


def node(key: str, kind: str, n: int, name: str | None = "a name"):
    return {"entity_key": key, "entity_type": kind, "name": name, "concept_id": 1, "vocabulary_id": "V", "concept_code": "C",
            "n_mentions": n + 3, "n_names": 1, **seen(n)}  # fmt: skip


def edge(source: str, target: str, kind: str, n: int):
    return {"source_key": source, "target_key": target, "edge_type": kind, "mean_probability": 0.5, **seen(n)}


def seen(n: int):
    return {"n_notes": n + 1, "n_persons": n, "first_seen": dt.date(2020, 1, 1), "last_seen": dt.date(2021, 1, 1)}


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 5))
def test_nothing_small_is_shown_nor_can_it_be_worked_out(graph, k) -> None:
    nodes, edges = graph
    shown_nodes, shown_edges = withhold(nodes, edges, k)
    assert not any(small_cells(shown_nodes, shown_edges, k))
    assert n_edges_without_nodes(shown_nodes, shown_edges) == 0
    # The audit of the published tables, on the sums that hold here: each whole is a part and those who are left.
    true = {("node", one["entity_key"]): one["n_persons"] for one in nodes}
    true |= {("edge", *(one[n] for n in ("source_key", "target_key", "edge_type"))): one["n_persons"] for one in edges}
    hidden = {("node", one["entity_key"]) for one in shown_nodes if one["suppressed"]}
    hidden |= {
        ("edge", *(one[n] for n in ("source_key", "target_key", "edge_type")))
        for one in shown_edges
        if one["suppressed"]
    }
    cells, sums, rests = {"|".join(name): n for name, n in true.items()}, [], set()
    for part, whole in nested_pairs(edges):
        rest = "rest|" + "|".join(part) + "|" + "|".join(whole)
        cells[rest] = true[whole] - true[part]
        rests.add(rest)
        sums.append(Sum("|".join(whole), ("|".join(part), rest)))
    assert exposed(cells, sums, {"|".join(name) for name in hidden} | rests, k=k) == []


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(1, 5))
def test_no_more_is_withheld_than_is_small_or_gives_a_small_one_away(graph, k) -> None:
    nodes, edges = graph
    shown_nodes, shown_edges = withhold(nodes, edges, k)
    assert [one["suppressed"] for one in shown_nodes] == [one["n_persons"] < k for one in nodes]
    persons = {one["entity_key"]: one["n_persons"] for one in nodes}
    for true, shown in zip(edges, shown_edges, strict=True):
        n = true["n_persons"]
        if shown["suppressed"] and not true["edge_type"].startswith("worded"):
            assert n < k or any(0 < persons[true[side]] - n < k for side in ("source_key", "target_key"))
        if not shown["suppressed"]:
            assert {**true, "suppressed": False} == shown


def test_small_cells_that_are_shown_are_counted_in_each_way() -> None:
    nodes = [{**node("c", "chemical", 20), "suppressed": False}, {**node("d", "disease", 4), "suppressed": False}]
    edges = [
        {**edge("c", "d", "same_sentence", 15), "suppressed": True},
        {**edge("c", "x", "same_sentence", 15), "suppressed": False},
    ]
    found = small_cells(nodes, edges, 11)
    assert found.n_small == 1
    assert found.n_differences == 2
    assert found.n_told_though_withheld == 1
    assert n_edges_without_nodes(nodes, edges) == 1


def test_an_edge_without_a_node_and_a_senseless_k_are_refused() -> None:
    with pytest.raises(ValueError, match="not among the nodes"):
        withhold([node("c", "chemical", 9)], [edge("c", "d", "same_sentence", 9)], 2)
    with pytest.raises(ValueError, match="k is 0"):
        withhold([], [], 0)


def test_files_hold_what_is_shown_and_nothing_else(tmp_path) -> None:
    nodes, edges = withhold(
        [node("c", "chemical", 30, "A & <B> \x07"), node("d", "disease", 30, None), node("e", "disease", 2, "Rare")],
        [edge("c", "d", "worded_causes", 12), edge("c", "d", "same_sentence", 30), edge("c", "e", "same_sentence", 2)],
        11,
    )
    paths = export_graph(nodes, edges, tmp_path)
    assert sorted(path.name for path in (tmp_path / "entities").iterdir()) == [
        "graph.graphml", "graph_edges.parquet", "graph_nodes.parquet",
    ]  # fmt: skip
    graph = networkx.read_graphml(paths[0], force_multigraph=True)
    assert set(graph.nodes) == {"c", "d"}
    assert graph.nodes["c"]["name"].split() == ["A", "&", "<B>"]
    assert graph.nodes["c"]["n_persons"] == 30
    assert "name" not in graph.nodes["d"]
    assert {(u, v, key) for u, v, key in graph.edges(keys=True)} == {
        ("c", "d", "same_sentence"),
        ("c", "d", "worded_causes"),
    }
    assert pq.read_table(paths[1]).schema.names == GRAPH_NODES.names
    assert pq.read_table(paths[2], schema=GRAPH_EDGES).num_rows == 2
    assert b"Rare" not in paths[0].read_bytes()
    first = paths[0].read_bytes()
    export_graph(nodes, edges, tmp_path)
    assert paths[0].read_bytes() == first


def test_the_picture_is_of_what_is_shown_and_none_of_nothing() -> None:
    nodes, edges = withhold(
        [node("c", "chemical", 30), node("d", "disease", 30)], [edge("c", "d", "same_sentence", 30)], 11
    )
    assert graph_figure(nodes, edges).startswith(b"\x89PNG")
    assert graph_figure(*withhold(nodes, edges, 99)) is None
