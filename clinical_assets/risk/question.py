"""The data of a risk question: persons with their roles, and features built from the warehouse and the vectors of the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.risk.features import Block, Features, code_blocks, dense_block, vector_blocks
from clinical_assets.risk.windows import require_somebody
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.risk_contracts import RISK_COHORT
from clinical_assets.study.risk import RiskQuestion

if TYPE_CHECKING:
    import duckdb

__all__ = ["VECTORS", "Asked", "ask", "cohort_rows"]

VECTORS = "embeddings/person_vectors"
_MALE, _FEMALE = 8507, 8532


@dataclass(frozen=True)
class Asked:
    """Cases, controls, and those whose outcome is not known yet, with what was known of them before the index.

    Attributes
    ----------
    cohort
        Rows of the lake's risk/cohort, by person_id; removed ones only where ``follow_up`` was too short.
    features
        Of the same persons in the same order.
    """

    cohort: pa.Table
    features: Features

    @property
    def labelled(self) -> npt.NDArray[np.int64]:
        """Return the row numbers of cases and controls."""
        return np.flatnonzero(np.asarray(self.cohort.column("role").to_pylist()) != "removed")

    @property
    def is_case(self) -> npt.NDArray[np.int64]:
        """Return 1 for cases and 0 for others, for all rows."""
        return (np.asarray(self.cohort.column("role").to_pylist()) == "case").astype(np.int64)

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of the cohort as numbers; nan where null."""
        return np.asarray(self.cohort.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def cohort_rows(connection: duckdb.DuckDBPyConnection, question: RiskQuestion) -> pa.Table:
    """Return everybody with the index event as rows of the lake's risk/cohort.

    Raises
    ------
    NobodyIndexed
        If the index concepts match nobody.
    """
    columns = ", ".join(RISK_COHORT.names)
    rows = connection.sql(f"select {columns} from risk.windows order by person_id").to_arrow_table()
    require_somebody(rows.num_rows, question.name, question.index.concepts)
    return rows


def ask(connection: duckdb.DuckDBPyConnection, lake: Lake, question: RiskQuestion) -> Asked:
    """Return the persons and features of a question, from the lake's cohort, the warehouse's codes and the lake's vectors."""
    cohort = lake.read("risk/cohort")
    kept = [
        role != "removed" or reason == "follow_up"
        for role, reason in zip(cohort.column("role").to_pylist(), cohort.column("reason").to_pylist(), strict=True)
    ]
    cohort = cohort.filter(pa.array(kept))
    persons = np.asarray(cohort.column("person_id").to_numpy(), dtype=np.int64)
    codes = connection.sql(
        "select person_id, domain, concept_id, concept_name, n_records, last_date, last_value from risk.pre_index_codes"
    ).to_arrow_table()
    charlson = connection.sql("select person_id, category, weight from risk.charlson").fetchall()
    blocks = [*code_blocks(persons, codes), _demographics(cohort), _charlson(persons, charlson)]
    if lake.has(VECTORS):
        blocks += vector_blocks(persons, lake.read(VECTORS), question.models.encoders)
    asked = Asked(cohort, Features(persons, {block.name: block for block in blocks}))
    if not question.minimum_records:
        return asked
    enough = _enough_records(persons, codes, question)
    return Asked(cohort.filter(pa.array(enough)), asked.features.rows(np.flatnonzero(enough)))


def _demographics(cohort: pa.Table) -> Block:
    sex = np.asarray(cohort.column("gender_concept_id").to_pylist(), dtype=object)
    age = np.asarray(cohort.column("age_at_index").cast(pa.float64()).to_numpy(zero_copy_only=False))
    columns: dict[str, npt.ArrayLike] = {
        "age": age,
        "female": [1.0 if s == _FEMALE else 0.0 if s == _MALE else float("nan") for s in sex],
    }
    race = np.asarray([r or 0 for r in cohort.column("race_concept_id").to_pylist()])
    # one indicator each; rare ones, and the unknown, are the reference
    for value in sorted(set(race.tolist()) - {0}):
        columns[f"race_{value}"] = (race == value).astype(float)
    return dense_block("demo", columns)


def _charlson(persons: npt.NDArray[np.int64], rows: list[tuple[int, str, int]]) -> Block:
    place = {person: i for i, person in enumerate(persons.tolist())}
    index = np.zeros(persons.size)
    flags: dict[str, npt.NDArray[np.float64]] = {}
    for person, category, weight in rows:
        if person in place:
            index[place[person]] += weight
            flags.setdefault(category, np.zeros(persons.size))[place[person]] = 1.0
    return dense_block("charlson", {"index": index, **dict(sorted(flags.items()))})


def _enough_records(persons: npt.NDArray[np.int64], codes: pa.Table, question: RiskQuestion) -> list[bool]:
    found: dict[tuple[int, str], int] = {}
    columns = (codes.column(name).to_pylist() for name in ("person_id", "domain", "n_records"))
    for person, domain, n in zip(*columns, strict=True):
        found[person, domain] = found.get((person, domain), 0) + n
    return [
        all(found.get((person, domain), 0) >= least for domain, least in question.minimum_records.items())
        for person in persons.tolist()
    ]
