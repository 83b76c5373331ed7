"""What is known of each person before the index, as blocks of columns with prefixed names; which blocks a feature set has.

Nothing is fitted here: imputing, scaling and projecting is `preparation`, inside the folds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "TFIDF",
    "TOTALS",
    "Block",
    "Features",
    "code_blocks",
    "count_block",
    "dense_block",
    "text_block",
    "vector_block",
    "vector_blocks",
]

Floats = npt.NDArray[np.float64]
Kind = Literal["counts", "dense", "vectors", "texts"]

TFIDF = "tfidf_svd"  # words of code names, weighted and projected inside each fold: the encoder that needs no model
TOTALS = ("records", "codes")  # of a block: all records, different codes
_EMBEDDED = ("condition", "procedure", "drug")


@dataclass(frozen=True)
class Block:
    """Columns that are prepared in the same way.

    Attributes
    ----------
    name
        Prefix of the columns' names, e.g. ``count_condition``.
    kind
        counts (not negative, many zeros), dense (numbers, nan where missing), vectors (embeddings, a row of nan where there is
        none), texts.
    columns
        Names, without the prefix; empty for texts.
    values
        Shape (n, k): sparse for counts, an array for dense and vectors; for texts a list of n strings.
    family
        counts or embeddings: which feature sets it belongs to.
    medication
        Whether it is of drugs: part of the feature sets with medication only.
    encoder
        What made the vectors; empty for others.
    """

    name: str
    kind: Kind
    columns: tuple[str, ...]
    values: Any
    family: Literal["counts", "embeddings"]
    medication: bool = False
    encoder: str = ""

    def rows(self, index: npt.NDArray[np.int64]) -> Block:
        """Return the block of these rows only."""
        values = [self.values[i] for i in index] if self.kind == "texts" else self.values[index]
        return replace(self, values=values)

    def digest(self) -> str:
        """Return a SHA-256 of name, kind, columns and values."""
        sha = hashlib.sha256(json.dumps([self.name, self.kind, self.encoder, self.columns]).encode())
        if self.kind == "texts":
            sha.update("\0".join(self.values).encode())
            return sha.hexdigest()
        values = self.values
        for part in (values.indptr, values.indices, values.data) if self.kind == "counts" else (values,):
            sha.update(np.ascontiguousarray(part).tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class Features:
    """Blocks of the same persons in the same order.

    Attributes
    ----------
    persons
        Shape (n,), person_id.
    blocks
        By name.
    """

    persons: npt.NDArray[np.int64]
    blocks: Mapping[str, Block]

    def rows(self, index: npt.NDArray[np.int64]) -> Features:
        """Return the features of these rows only."""
        return Features(self.persons[index], {name: block.rows(index) for name, block in self.blocks.items()})

    def encoders(self) -> list[str]:
        """Return the encoders there are, sorted."""
        return sorted({block.encoder for block in self.blocks.values() if block.encoder})

    def of(self, feature_set: str, encoder: str = "") -> list[Block]:
        """Return the blocks of a feature set, with the embeddings of one encoder.

        Raises
        ------
        ValueError
            If the set has no block, e.g. because there are no embeddings of that encoder.
        """
        parts = feature_set.split("+")
        found = [
            block
            for block in self.blocks.values()
            if block.family in parts
            and ("medication" in parts or not block.medication)
            and (block.family == "counts" or block.encoder == encoder)
        ]
        missing = [part for part in parts if part != "medication" and not any(b.family == part for b in found)]
        if missing:
            raise ValueError(
                f"feature set {feature_set!r}, encoder {encoder!r}: no {' and no '.join(missing)}; encoders with vectors of these "
                f"persons: {', '.join(self.encoders()) or 'none'}"
            )
        return found


def count_block(name: str, persons: npt.NDArray[np.int64], rows: pa.Table, *, medication: bool = False) -> Block:
    """Return how often each person has each code, plus all records and distinct codes of the block.

    Parameters
    ----------
    name
        Prefix, e.g. ``count_condition``.
    persons
        Shape (n,), order of the rows of the block.
    rows
        Columns person_id, concept_id (or any code) and n_records; other persons are ignored.
    """
    from scipy.sparse import csr_matrix, hstack

    place = {person: i for i, person in enumerate(persons.tolist())}
    ids = rows.column("person_id").to_pylist()
    known = [i for i, person in enumerate(ids) if person in place]
    row = np.asarray([place[ids[i]] for i in known], dtype=np.int64)
    codes = [str(code) for code in rows.column("concept_id").to_pylist()]
    names = sorted({codes[i] for i in known})
    column_of = {code: j for j, code in enumerate(names)}
    column = np.asarray([column_of[codes[i]] for i in known], dtype=np.int64)
    n = np.asarray(rows.column("n_records").to_numpy(), dtype=np.float64)[known]
    each = csr_matrix((n, (row, column)), shape=(persons.size, len(names)))
    totals = np.stack([np.asarray(each.sum(axis=1)).ravel(), np.diff(each.indptr)], axis=1)
    values = csr_matrix(hstack([csr_matrix(totals), each]))
    return Block(name, "counts", (*TOTALS, *names), values, "counts", medication)


def dense_block(name: str, columns: Mapping[str, npt.ArrayLike]) -> Block:
    """Return numbers, one column a name; nan where missing."""
    arrays = [np.asarray(values, dtype=np.float64) for values in columns.values()]
    return Block(name, "dense", tuple(columns), np.stack(arrays, axis=1), "counts")


def text_block(domain: str, texts: Sequence[str]) -> Block:
    """Return the names of a domain's codes, one text a person, for `TFIDF`."""
    return Block(
        f"emb_{domain}_{TFIDF}", "texts", (), list(texts), "embeddings", medication=domain == "drug", encoder=TFIDF
    )


def vector_block(domain: str, encoder: str, values: npt.ArrayLike) -> Block:
    """Return embeddings of a domain, shape (n, d); a row of nan where the person has none."""
    array = np.asarray(values, dtype=np.float32)
    columns = tuple(f"{i:03d}" for i in range(array.shape[1]))
    return Block(
        f"emb_{domain}_{encoder}", "vectors", columns, array, "embeddings", medication=domain == "drug", encoder=encoder
    )


def vector_blocks(persons: npt.NDArray[np.int64], vectors: pa.Table, encoders: Sequence[str] = ()) -> list[Block]:
    """Return a block per encoder and domain of a table (person_id, domain, encoder, vector).

    Parameters
    ----------
    persons
        Shape (n,); who has no row gets nan.
    vectors
        Lists of one length per encoder and domain.
    encoders
        Only these; all if empty.

    Raises
    ------
    ValueError
        If vectors of an encoder and domain differ in length, a person occurs twice, or a wished encoder has none.
    """
    place = {person: i for i, person in enumerate(persons.tolist())}
    blocks = []
    frame = vectors.select(["person_id", "domain", "encoder", "vector"])
    pairs = sorted(set(zip(frame.column("encoder").to_pylist(), frame.column("domain").to_pylist(), strict=True)))
    absent = sorted(set(encoders) - {encoder for encoder, _ in pairs} - {TFIDF})
    if absent:
        raise ValueError(
            f"risk.models.encoders: no vectors of {', '.join(absent)}; there are {', '.join(sorted({e for e, _ in pairs})) or 'none'}"
        )
    for encoder, domain in pairs:
        if encoders and encoder not in encoders:
            continue
        mask = pc.and_(pc.equal(frame.column("encoder"), encoder), pc.equal(frame.column("domain"), domain))
        part = frame.filter(mask)
        ids, lists = part.column("person_id").to_pylist(), part.column("vector")
        if len(set(ids)) != len(ids):
            raise ValueError(f"embeddings of {domain} by {encoder}: a person has several vectors; expected one each")
        sizes = set(pc.list_value_length(lists).to_pylist())
        if len(sizes) != 1:
            raise ValueError(
                f"embeddings of {domain} by {encoder}: vectors have {sorted(sizes)} numbers; expected one length. Was the encoder "
                "changed between two writes? Make the vectors anew."
            )
        values = np.full((persons.size, int(sizes.pop())), np.nan, dtype=np.float32)
        flat = np.asarray(lists.combine_chunks().flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
        found = flat.reshape(len(ids), -1)
        rows = [(place[person], i) for i, person in enumerate(ids) if person in place]
        if rows:
            target, source = (list(side) for side in zip(*rows, strict=True))
            values[target] = found[source]
        blocks.append(vector_block(domain, encoder, values))
    return blocks


def code_blocks(persons: npt.NDArray[np.int64], codes: pa.Table) -> list[Block]:
    """Return counts and texts per domain, and the latest laboratory values, from `risk.pre_index_codes`.

    Unmapped codes (concept 0, or without a name) are counted, and give no text.

    Parameters
    ----------
    persons
        Shape (n,), order of the rows.
    codes
        Columns person_id, domain, concept_id, concept_name, n_records, last_date, last_value.
    """
    blocks: list[Block] = []
    place = {person: i for i, person in enumerate(persons.tolist())}
    for domain in ("condition", "procedure", "measurement", "observation", "drug"):
        part = codes.filter(pc.equal(codes.column("domain"), domain))
        blocks.append(count_block(f"count_{domain}", persons, part, medication=domain == "drug"))
        if domain in _EMBEDDED:
            blocks.append(text_block(domain, _texts(place, part)))
    labs = _latest(place, codes.filter(pc.is_valid(codes.column("last_value"))))
    if labs:
        blocks.append(dense_block("lab", labs))
    return blocks


def _texts(place: Mapping[int, int], part: pa.Table) -> list[str]:
    """Names of the codes of each person, oldest first, joined by ' | '; a name once per code."""
    order = part.sort_by([("last_date", "ascending"), ("concept_id", "ascending")])
    names: list[list[str]] = [[] for _ in place]
    for person, name in zip(
        order.column("person_id").to_pylist(), order.column("concept_name").to_pylist(), strict=True
    ):
        if person in place and name:
            names[place[person]].append(name)
    return [" | ".join(found) for found in names]


def _latest(place: Mapping[int, int], part: pa.Table) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    columns = (part.column(name).to_pylist() for name in ("person_id", "concept_id", "last_value"))
    for person, concept, value in zip(*columns, strict=True):
        if person in place:
            found.setdefault(str(concept), np.full(len(place), np.nan))[place[person]] = value
    return dict(sorted(found.items()))
