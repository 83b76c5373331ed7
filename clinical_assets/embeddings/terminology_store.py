"""The names of codes in the lake, read anew only when files landed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from clinical_assets.embeddings.terminology import read_terminology, terminology_digest
from clinical_assets.storage.embedding_contracts import TERMINOLOGY, TERMINOLOGY_REJECTS
from clinical_assets.storage.lake import Lake, Written

__all__ = ["KeptTerminology", "store_terminology"]

_NAMES, _REJECTS, _DIGEST = "embeddings/terminology", "embeddings/terminology_rejects", "landed_digest"


@dataclass(frozen=True)
class KeptTerminology:
    """What the lake holds, how many rows of files were set aside, and whether files were read."""

    written: Written
    n_rejected: int
    read_anew: bool


def store_terminology(lake: Lake, folder: Path) -> KeptTerminology:
    """Bring the tables up to what landed in `folder`.

    Raises
    ------
    TerminologyError
        If a file cannot be used; the old tables stand.
    """
    digest = terminology_digest(folder)
    if lake.has(_NAMES) and lake.metadata(_NAMES).get(_DIGEST) == digest:
        return KeptTerminology(lake.written(_NAMES), _n(lake), read_anew=False)
    found = read_terminology(folder)
    lake.write(_REJECTS, found.rejects, TERMINOLOGY_REJECTS)
    written = lake.write(_NAMES, found.names, TERMINOLOGY, metadata={_DIGEST: digest})  # last: it says that all is done
    return KeptTerminology(written, _n(lake), read_anew=True)


def _n(lake: Lake) -> int:
    return int(pc.sum(lake.read_all(_REJECTS, ["n"]).column("n")).as_py() or 0)
