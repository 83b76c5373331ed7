"""The tables of relations and the graph as analysts read them: the marts' SQL, and the worked examples of the docs."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from clinical_assets.cohort.lake_views import create_lake_views
from clinical_assets.entities.graph.withholding import withhold
from clinical_assets.entities.relations.batch import relate_batch
from clinical_assets.storage.contracts import NOTES
from clinical_assets.storage.entity_contracts import ENTITY_TABLES, GRAPH_EDGES, GRAPH_NODES, MENTIONS, RELATIONS
from clinical_assets.storage.lake import Lake
from tests.unit.entities.test_graph import edge, node
from tests.unit.entities.test_note_relations import NOW, noted, stored

ROOT = Path(__file__).resolve().parents[3]
MARTS = ("relations", "graph_nodes", "graph_edges")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """The three marts, made by their own SQL from a small lake."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows, text = noted("[Imatinib]-induced {rash}. No {fever}.", 1, {"fever": "negated"})
    rows = [{**row, "concept_id": 1304107} if row["entity_type"] == "chemical" else row for row in rows]
    lake.write("notes/notes", stored({1: text}), NOTES, batch="b1")
    lake.write("entities/mentions", pa.Table.from_pylist(rows, MENTIONS), MENTIONS, batch="b1")
    relate_batch(lake, "b1", None, made_at=NOW, run_id="r")
    nodes, edges = withhold(
        [node("c", "chemical", 40, "imatinib"), node("d", "disease", 40, "Rash"), node("e", "disease", 4, "Gout")],
        [
            edge("c", "d", "chemical_induces_disease", 20),
            edge("c", "d", "same_sentence", 40),
            edge("c", "d", "worded_causes", 20),
            edge("c", "e", "same_sentence", 4),
        ],
        11,
    )
    for table, made, schema in (("graph_nodes", nodes, GRAPH_NODES), ("graph_edges", edges, GRAPH_EDGES)):
        lake.write(f"entities/{table}", pa.Table.from_pylist(made, schema), schema)
    wanted = {f"entities/{name}": ENTITY_TABLES[f"entities/{name}"] for name in MARTS}
    with duckdb.connect(":memory:") as connection:
        for table, schema in wanted.items():
            lake.declare(table, schema)
        create_lake_views(connection, lake, wanted)
        connection.register(
            "note_index", lake.read("notes/notes", "b1", ["note_id", "note_date", "batch", "text_sha256"])
        )
        connection.execute("create schema entities; create schema omop")
        connection.execute("create table omop.concept (concept_id bigint, concept_name varchar)")
        for name in MARTS:
            sql = (ROOT / "dbt_cohort" / "models" / "entities" / f"entity_{name}.sql").read_text(encoding="utf-8")
            sql = re.sub(r"\{\{ config\(.*\) \}\}", "", sql)
            sql = re.sub(r"\{\{ source\('lake', '(\w+)'\) \}\}", r"lake.\1", sql)
            sql = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", sql)
            connection.execute(f"create table entities.{name} as {sql}")
        yield connection


def test_relations_carry_who_is_asserted_and_no_words(warehouse) -> None:
    found = warehouse.execute(
        "select disease_key, is_asserted, wording, value from entities.relations order by 1"
    ).fetchall()
    assert found == [("text:fever", False, "none", None), ("text:rash", True, "causes", None)]
    columns = {row[0] for row in warehouse.execute("describe entities.relations").fetchall()}
    assert columns == {*RELATIONS.names, "is_asserted"} - {"adapter_sha", "prompt_sha", "decoding"}


def test_the_docs_of_the_marts_name_every_column(warehouse) -> None:
    text = (ROOT / "dbt_cohort" / "models" / "entities" / "_entity_graph__models.yml").read_text(encoding="utf-8")
    for name in MARTS:
        part = text.split(f"- name: entity_{name}\n")[1].split("\n  - name: ")[0]
        documented = dict(re.findall(r"- \{name: (\w+), data_type: ([a-z ]+),", part))
        made = {row[0]: row[1].lower() for row in warehouse.execute(f"describe entities.{name}").fetchall()}
        assert documented == made


def test_the_examples_of_the_docs_run_and_show_nothing_withheld(warehouse) -> None:
    examples = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "relations.md").read_text(encoding="utf-8"), re.DOTALL)
    results = [warehouse.execute(sql).fetchall() for sql in examples]
    assert len(results) == 5
    assert results[0] == [("imatinib", "Rash", 20, 21, 0.5)]
    assert results[1] == [("Rash", None, 20, 40)]  # not Gout, which is withheld
    assert results[2] == []  # nobody decided
    assert results[3] == [("causes", None, 1, 1)]
    assert results[4] == []
