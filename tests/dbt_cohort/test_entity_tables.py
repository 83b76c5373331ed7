"""Tables of entities for analysts: the lake's rows without a word of a note, and counts that add up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from clinical_assets.storage.lake import Lake

pytestmark = pytest.mark.slow


def test_mentions_are_those_of_the_lake_without_words(warehouse, demo_build: tuple[Path, dict[str, str]]) -> None:
    lake = Lake(demo_build[0] / "lake")
    rows = lake.read_all("entities/mentions").to_pylist()
    assert len(rows) > 1_000
    columns = {row[0] for row in warehouse.execute("describe entities.note_mentions").fetchall()}
    assert not columns & {"text", "normalised"}
    found = warehouse.execute(
        "select note_id, start_offset, end_offset, entity_key, assertion from entities.note_mentions"
    ).fetchall()
    assert Counter(found) == Counter(
        (r["note_id"], r["start"], r["end"], r["entity_key"], r["assertion"]) for r in rows
    )
    notes = lake.read_all("entities/notes")
    assert warehouse.execute("select count(*), sum(n_mentions) from entities.note_extractions").fetchone() == (
        notes.num_rows,
        len(rows),
    )


def test_counts_of_a_thing_add_up(warehouse) -> None:
    wrong = warehouse.execute("""
        select count(*) from entities.concepts
        where n_mentions <> n_affirmed + n_negated + n_possible + n_historical + n_hypothetical + n_family
            or n_persons > n_notes or n_notes > n_mentions or n_persons_having > n_persons
    """).fetchone()
    assert wrong == (0,)
    total, of_one = warehouse.execute(
        "select sum(n_mentions), count(*) = count(distinct entity_key || entity_type) from entities.concepts"
    ).fetchone()
    assert (total, of_one) == (warehouse.execute("select count(*) from entities.note_mentions").fetchone()[0], True)
