"""The SQL models of the applications rendered without dbt, on tables of a private DuckDB: rows in, rows out."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import yaml

from clinical_assets.entities.applications.trials import TRIAL_CRITERIA
from clinical_assets.storage.entity_contracts import BIOMARKERS, MENTIONS, RELATIONS

ROOT = Path(__file__).resolve().parents[1] / "dbt_cohort"
MODELS = ROOT / "models" / "entities" / "applications"
SHA = "a" * 64
LAKE = {
    "lake_entities_mentions": MENTIONS,
    "lake_entities_relations": RELATIONS,
    "lake_entities_biomarkers": BIOMARKERS,
}
TRIALS = {"trials_trial_criteria": TRIAL_CRITERIA}


@lru_cache(maxsize=1)
def _tables() -> dict[str, str]:
    """DDL of the OMOP tables that models read: those of the landing sources."""
    sources = yaml.safe_load((ROOT / "models" / "staging" / "_landing__sources.yml").read_text(encoding="utf-8"))
    out = {}
    for table in sources["sources"][0]["tables"]:
        columns = ", ".join(f'"{column["name"]}" {column["data_type"]}' for column in table["columns"])
        name = table["name"]
        out[f"landing_{name}"] = columns
        out[f"stg_omop__{name}"] = columns + (", birth_date date" if name == "person" else "")
    return out


def day(text: str) -> dt.date:
    """Return a date from its ISO text."""
    return dt.date.fromisoformat(text)


class Warehouse:
    """A DuckDB with empty input tables; `add` fills them, `build` runs models in the order given."""

    def __init__(self, **params: Any) -> None:
        project = yaml.safe_load((ROOT / "dbt_project.yml").read_text(encoding="utf-8"))
        self._params = {**project["vars"], "small_cell_threshold": 3, **params}
        self.connection = duckdb.connect()
        for name, columns in _tables().items():
            self.connection.execute(f"create table {name} ({columns})")
        for name, schema in {**LAKE, **TRIALS}.items():
            self.connection.register("empty", schema.empty_table())
            self.connection.execute(f"create table {name} as select * from empty")
        self.connection.execute(
            "create table note_index (note_id bigint, person_id bigint, note_date date, batch varchar, text_sha256 varchar)"
        )
        self.connection.execute(
            "create table note_extractions (note_id bigint, person_id bigint, note_date date, status varchar)"
        )
        self.connection.execute(
            "create table lake_labels_regex (note_id bigint, note_sha256 varchar, batch varchar, person_id bigint, field varchar, "
            "value boolean, mentioned boolean, assertion varchar, evidence_start integer, evidence_end integer)"
        )

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows; columns that are not given are null."""
        for row in rows:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" for _ in row)
            self.connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))

    def note(self, note_id: int, person_id: int, date: str) -> None:
        """Add a note of batch b1."""
        self.add(
            "note_index",
            {"note_id": note_id, "person_id": person_id, "note_date": day(date), "batch": "b1", "text_sha256": SHA},
        )

    def mention(self, note_id: int, person_id: int, date: str, kind: str, concept: int | None, **more: Any) -> None:
        """Add a mention in a note, affirmed unless `assertion` is given."""
        found = {
            "note_id": note_id, "note_sha256": SHA, "person_id": person_id, "note_date": day(date), "batch": "b1", "mention_index": 0,
            "start": 5, "end": 9, "entity_type": kind, "assertion": "affirmed", "concept_id": concept,
            "entity_key": f"concept:{concept}" if concept else "text:ab", "extracted_at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        } | more  # fmt: skip
        self.add("lake_entities_mentions", found)

    def build(self, *models: str) -> None:
        """Run SQL models as tables; refs are their file names, without the app_ of the name."""
        for name in models:
            self.connection.execute(f"create or replace table {name} as {self.sql(name)}")

    def sql(self, name: str) -> str:
        """Return the SQL of a model."""
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
        template = environment.from_string((MODELS / f"{name}.sql").read_text(encoding="utf-8"))
        return template.render(
            config=lambda **_: "",
            ref=lambda ref: ref,
            source=lambda schema, table: f"{schema}_{table}",
            param=self._params.__getitem__,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query says."""
        return self.connection.sql(sql).fetchall()

    def put(self, name: str, table: pa.Table) -> None:
        """Create a table from Arrow."""
        self.connection.register("given", table)
        self.connection.execute(f"create or replace table {name} as select * from given")


def vocabulary(warehouse: Warehouse) -> None:
    """A little vocabulary: imatinib (1) with a tablet (11), ibuprofen (2); CML (100) under leukaemia (101), nausea (102), CKD (103)."""
    concepts = [
        (1, "imatinib", "Drug", "RxNorm", "Ingredient"), (11, "imatinib 400 mg tablet", "Drug", "RxNorm", "Clinical Drug"),
        (2, "ibuprofen", "Drug", "RxNorm", "Ingredient"), (100, "chronic myeloid leukaemia", "Condition", "SNOMED", "Disorder"),
        (101, "leukaemia", "Condition", "SNOMED", "Disorder"), (102, "nausea", "Condition", "SNOMED", "Disorder"),
        (103, "chronic kidney disease", "Condition", "SNOMED", "Disorder"), (200, "BCR-ABL1", "Measurement", "LOINC", "Lab Test"),
        (8554, "percent", "Unit", "UCUM", "Unit"),
    ]  # fmt: skip
    for concept_id, name, domain, vocabulary_id, class_id in concepts:
        warehouse.add(
            "stg_omop__concept",
            {"concept_id": concept_id, "concept_name": name, "domain_id": domain, "vocabulary_id": vocabulary_id,
             "concept_class_id": class_id, "standard_concept": "S", "concept_code": "%" if concept_id == 8554 else str(concept_id)},
        )  # fmt: skip
    pairs = [(1, 1), (1, 11), (2, 2), (100, 100), (101, 101), (101, 100), (102, 102), (103, 103)]
    for ancestor, descendant in pairs:
        warehouse.add(
            "stg_omop__concept_ancestor", {"ancestor_concept_id": ancestor, "descendant_concept_id": descendant}
        )


def refs_of(name: str) -> set[str]:
    """Return the models that a model reads."""
    return set(re.findall(r"ref\('([a-z_]+)'\)", (MODELS / f"{name}.sql").read_text(encoding="utf-8")))
