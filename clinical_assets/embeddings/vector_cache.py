"""The content-addressed cache of vectors: a text that was ever encoded the same way is never encoded again.

A vector's address is (settings_sha, text_sha256). The lake table ``embeddings/vectors`` holds them in parts that are written whole,
one after another, and never rewritten: killed at any moment, what was written stands and a rerun encodes the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from clinical_assets.embeddings.encoder_choice import Encoder
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.text_vectors import Vectors
from clinical_assets.progress import Progress
from clinical_assets.storage.embedding_contracts import VECTORS
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import Lake

__all__ = ["TABLE", "Encoded", "encode_texts", "text_sha256"]

TABLE = "embeddings/vectors"
_TEXTS_A_PART = 4_096
_CHARACTERS_A_PART = 4_000_000  # long texts: a part should not take hours


@dataclass(frozen=True)
class Encoded:
    """Vectors, float32 of shape (n, dimension), in the order of the texts; and how many distinct texts were encoded now."""

    vectors: Vectors
    n_distinct: int
    n_computed: int


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text, UTF-8, hex."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def encode_texts(
    lake: Lake,
    encoder: Encoder,
    texts: Sequence[str],
    instruction: str,
    *,
    made_at: datetime,
    log: Callable[[str], None] = lambda line: None,
    texts_a_part: int = _TEXTS_A_PART,
) -> Encoded:
    """Return the vectors of texts: from the cache where they are, else encoded and put there, each distinct text once.

    Parameters
    ----------
    instruction
        What the encoder is told, if it takes instructions.
    texts_a_part
        At most so many are encoded before what is done is written.

    Raises
    ------
    ModelError
        If the encoder gives vectors of another dimension than its entry says, or what is no number.
    """
    settings = encoder.sha(instruction)
    shas = [text_sha256(text) for text in texts]
    distinct = dict(zip(shas, texts, strict=True))
    # by length: texts of like length share batches, and little is padding
    wanted = sorted(distinct, key=lambda sha: (len(distinct[sha]), sha))
    place = {sha: row for row, sha in enumerate(wanted)}
    vectors = np.zeros((len(wanted), encoder.dimension), np.float32)
    held = _read(lake, settings, place, vectors)
    missing = [sha for sha in wanted if sha not in held]
    if missing:
        progress = Progress("texts encoded", len(wanted), log, done=len(held))
        with encoder.open(log) as opened:
            for part in _parts(missing, distinct, texts_a_part):
                found = opened.encode([distinct[sha] for sha in part], instruction)
                _check(encoder, found, len(part))
                vectors[[place[sha] for sha in part]] = found
                _write(lake, encoder, settings, part, found, made_at)
                failpoint("embeddings.after_part")
                progress.add(len(part))
    rows = np.array([place[sha] for sha in shas], np.int64)
    return Encoded(vectors[rows], len(wanted), len(missing))


def _read(lake: Lake, settings: str, place: dict[str, int], vectors: Vectors) -> set[str]:
    """Fill in the vectors that the cache holds, and return their texts' digests."""
    held: set[str] = set()
    for part in lake.batches(TABLE) if place else []:
        if not part.startswith(f"{settings[:16]}-"):
            continue
        shas = lake.read(TABLE, part, ["text_sha256", "settings_sha"]).to_pydict()
        rows = [
            row
            for row, (sha, of) in enumerate(zip(shas["text_sha256"], shas["settings_sha"], strict=True))
            if of == settings and sha in place and sha not in held
        ]
        if not rows:
            continue
        found = lake.read(TABLE, part, ["vector"]).column("vector").combine_chunks().take(pa.array(rows))
        vectors[[place[shas["text_sha256"][row]] for row in rows]] = _matrix(found, vectors.shape[1])
        held |= {shas["text_sha256"][row] for row in rows}
    return held


def _matrix(lists: pa.ListArray, dimension: int) -> Vectors:
    values: Vectors = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    if values.size != len(lists) * dimension:
        raise ModelError(
            f"the lake's {TABLE} holds vectors of another dimension than {dimension} under the same settings; delete the table's folder: "
            "it is a cache, and will be made again"
        )
    return values.reshape(len(lists), dimension)


def _parts(missing: Sequence[str], texts: dict[str, str], most: int) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    size = 0
    for sha in missing:
        n = len(texts[sha])
        if parts[-1] and (len(parts[-1]) >= most or size + n > _CHARACTERS_A_PART):
            parts.append([])
            size = 0
        parts[-1].append(sha)
        size += n
    return parts


def _check(encoder: Encoder, found: Vectors, n: int) -> None:
    if found.shape != (n, encoder.dimension):
        raise ModelError(
            f"encoder {encoder.name!r} gave {found.shape[0]} vectors of dimension {found.shape[-1]} for {n} texts; the catalogue says "
            f"dimension {encoder.dimension}: mend embedding.dimension, or model, of its entry"
        )
    if not np.isfinite(found).all():
        raise ModelError(f"encoder {encoder.name!r} gave what is no number; nothing was stored")


def _write(
    lake: Lake, encoder: Encoder, settings: str, shas: Sequence[str], vectors: Vectors, made_at: datetime
) -> None:
    n, dimension = vectors.shape
    offsets = pa.array(np.arange(0, (n + 1) * dimension, dimension, dtype=np.int32))
    rows = pa.table(
        {
            "settings_sha": [settings] * n,
            "text_sha256": list(shas),
            "encoder": [encoder.name] * n,
            "revision": [encoder.revision] * n,
            "vector": pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1))),
            "made_at": pa.array([made_at] * n, VECTORS.field("made_at").type),
        }
    )
    # The name says what is in it: the same texts encoded again, after a crash say, replace the same part.
    name = hashlib.sha256("".join(sorted(shas)).encode()).hexdigest()[:16]
    lake.write(TABLE, rows, VECTORS, batch=f"{settings[:16]}-{name}")
