"""The four cohorts of OHDSI's GiBleed data set, through the cohort macros, against the counts that OHDSI publishes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.macros import macro

CELECOXIB, DICLOFENAC, GI_BLEED = 1118084, 1124300, 192671


@pytest.fixture(scope="module")
def gibleed(public_data: Path):
    with duckdb.connect() as connection:
        for table in ("person", "observation_period", "drug_era", "condition_occurrence", "concept_ancestor"):
            path = public_data / "omop" / "gibleed" / f"{table}.parquet"
            connection.execute(f"create view {table} as from read_parquet('{path}')")
        connection.execute(
            "create view periods as select person_id, observation_period_start_date as op_start, "
            "observation_period_end_date as op_end from observation_period"
        )
        yield connection


def eras(*ingredients: int) -> str:
    return (
        "(select person_id, drug_era_id as event_id, drug_era_start_date as start_date, drug_era_end_date as end_date "
        f"from drug_era where drug_concept_id in ({', '.join(map(str, ingredients))}))"
    )


BLEEDS = (
    "(select person_id, condition_occurrence_id as event_id, condition_start_date as start_date, condition_end_date as end_date "
    "from condition_occurrence where condition_concept_id in "
    f"(select descendant_concept_id from concept_ancestor where ancestor_concept_id = {GI_BLEED}))"
)


@pytest.mark.parametrize(
    ("events", "published", "observed"),
    [
        (eras(CELECOXIB), 1_844, 1_800),
        (eras(DICLOFENAC), 850, 830),
        (BLEEDS, 479, 479),
        (eras(CELECOXIB, DICLOFENAC), 2_694, 2_630),
    ],
    ids=["celecoxib", "diclofenac", "gi_bleed", "nsaids"],
)
def test_cohort_counts(gibleed: duckdb.DuckDBPyConnection, events: str, published: int, observed: int) -> None:
    """The published counts are of first events as such; 64 first drug eras start after the observation period has ended."""
    for periods, n in ((None, published), ("periods", observed)):
        found = macro("primary_events", events, periods)
        assert gibleed.execute(f"select count(*), count(distinct person_id) from {found}").fetchone() == (n, n)
