"""Vectors of persons: what is on record before the index date, per domain, encoder and way of putting it together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.embeddings.aggregation import aggregate, weights_of
from clinical_assets.embeddings.code_systems import DOMAINS
from clinical_assets.embeddings.encoder_choice import Encoder, kept_open
from clinical_assets.embeddings.vector_cache import encode_texts
from clinical_assets.language_models.text_vectors import Vectors
from clinical_assets.storage.embedding_contracts import PERSON_VECTORS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.embedding import Embeddings

__all__ = ["PersonRun", "person_vectors", "vector_column"]

_KEY = ["person_id", "index_date", "domain"]


@dataclass(frozen=True)
class PersonRun:
    """The rows (contract PERSON_VECTORS) and how many distinct texts there were, and were encoded now."""

    rows: pa.Table
    n_distinct: int
    n_computed: int


def person_vectors(
    lake: Lake,
    encoders: Sequence[Encoder],
    texts: pa.Table,
    events: Callable[[], pa.Table],
    study: Embeddings,
    *,
    made_at: datetime,
    log: Callable[[str], None] = lambda line: None,
) -> PersonRun:
    """Return one vector per person, index date, domain, encoder and aggregation; persons without a named code have none.

    Parameters
    ----------
    texts
        Contract CODE_TEXT.
    events
        Gives person_id, index_date, domain, event_date, name; asked only if the study wants vectors of names put together.

    Raises
    ------
    ModelError, ServerError
        If an encoder cannot be used.
    """
    texts = texts.filter(pc.is_valid(texts.column("text")))
    ways = [way for way in study.aggregations if way != "text"]
    named = events() if ways else None
    parts, n_distinct, n_computed = [], 0, 0
    for chosen in encoders:
        with kept_open(chosen) as encoder:
            for domain in DOMAINS:
                work = _Work(lake, encoder, study, made_at, log)
                mine = texts.filter(pc.equal(texts.column("domain"), domain.name))
                if "text" in study.aggregations:
                    work.whole_texts(mine, domain.name)
                if named is not None:
                    work.names(named.filter(pc.equal(named.column("domain"), domain.name)), ways)
                parts += work.parts
                n_distinct, n_computed = n_distinct + work.n_distinct, n_computed + work.n_computed
    rows = pa.concat_tables(parts) if parts else PERSON_VECTORS.empty_table()
    return PersonRun(rows.sort_by([(name, "ascending") for name in [*_KEY, "encoder"]]), n_distinct, n_computed)


class _Work:
    """One encoder on one domain."""

    def __init__(
        self, lake: Lake, encoder: Encoder, study: Embeddings, made_at: datetime, log: Callable[[str], None]
    ) -> None:
        self._lake, self._encoder, self._study, self._made_at, self._log = lake, encoder, study, made_at, log
        self.parts: list[pa.Table] = []
        self.n_distinct = self.n_computed = 0

    def whole_texts(self, texts: pa.Table, domain: str) -> None:
        """Add the vectors of chronologies."""
        instruction = getattr(self._study.instructions, domain)
        vectors = self._encode(texts.column("text").to_pylist(), instruction)
        self.parts.append(_rows(texts.select([*_KEY, "n_lines"]), self._encoder, "text", instruction, vectors))

    def names(self, events: pa.Table, ways: Sequence[str]) -> None:
        """Add the vectors made of those of names."""
        events = events.filter(pc.is_valid(events.column("name")))
        keys, persons = _numbered(events, _KEY)
        listed, names = _numbered(events, ["name"])
        instruction = self._study.instructions.name
        vectors = self._encode(listed.column("name").to_pylist(), instruction)
        days = pc.days_between(events.column("event_date"), events.column("index_date")).to_numpy().astype(np.float64)
        n_lines = np.bincount(persons, minlength=keys.num_rows)
        counted = keys.append_column("n_lines", pa.array(n_lines, pa.int64()))
        for way in ways:
            weights = weights_of(way, persons, names, days, half_life_days=self._study.half_life_days)
            together = aggregate(vectors, persons, names, weights, keys.num_rows)
            self.parts.append(_rows(counted, self._encoder, way, instruction, together))

    def _encode(self, texts: list[str], instruction: str) -> Vectors:
        done = encode_texts(self._lake, self._encoder, texts, instruction, made_at=self._made_at, log=self._log)
        self.n_distinct, self.n_computed = self.n_distinct + done.n_distinct, self.n_computed + done.n_computed
        return done.vectors


def vector_column(vectors: Vectors) -> pa.Array:
    """Return the rows of a matrix as a column of lists."""
    n, dimension = vectors.shape
    offsets = np.arange(0, (n + 1) * dimension, dimension, dtype=np.int64)
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(vectors.reshape(-1)))


def _numbered(rows: pa.Table, columns: list[str]) -> tuple[pa.Table, np.ndarray]:
    """Return the distinct values of columns, in order, and the number of each row's."""
    distinct = rows.select(columns).group_by(columns).aggregate([]).sort_by([(name, "ascending") for name in columns])
    numbers = distinct.append_column("number", pa.array(np.arange(distinct.num_rows)))
    placed = rows.select(columns).append_column("row", pa.array(np.arange(rows.num_rows))).join(numbers, columns)
    found = np.empty(rows.num_rows, np.int64)
    found[placed.column("row").to_numpy()] = placed.column("number").to_numpy()
    return distinct, found


def _rows(keys: pa.Table, encoder: Encoder, way: str, instruction: str, vectors: Vectors) -> pa.Table:
    n = keys.num_rows
    name = encoder.name if way == "text" else f"{encoder.name}+{way}"
    columns = {
        **{column: keys.column(column) for column in _KEY},
        "encoder": pa.array([name] * n, pa.string()),
        "aggregation": pa.array([way] * n, pa.string()),
        "revision": pa.array([encoder.revision] * n, pa.string()),
        "settings_sha": pa.array([encoder.sha(instruction)] * n, pa.string()),
        "n_lines": keys.column("n_lines"),
        "dimension": pa.array([encoder.dimension] * n, pa.int32()),
        "vector": vector_column(vectors),
    }
    return pa.table(columns).cast(PERSON_VECTORS)
