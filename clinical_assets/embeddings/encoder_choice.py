"""Which encoder is meant by a name of the study, what tells its vectors from others, and how it is opened."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinical_assets.embeddings import hashed_tfidf
from clinical_assets.language_models.catalogue import Catalogue, CatalogueError, ModelEntry
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.embedding_opening import open_encoder
from clinical_assets.language_models.encoders import encoder_dtype, encoder_revision
from clinical_assets.language_models.text_vectors import Encodes, embedding_settings, settings_sha

__all__ = ["Encoder", "choose_encoders", "kept_open", "vocabulary_names"]

Log = Callable[[str], None]


@dataclass(frozen=True)
class Encoder:
    """An encoder that is not opened yet.

    Attributes
    ----------
    name, revision, dimension
        As in the tables.
    sha
        Takes an instruction; gives the digest of all that a vector depends on besides its text.
    open
        Takes a log; opens it.
    """

    name: str
    revision: str
    dimension: int
    sha: Callable[[str], str]
    open: Callable[[Log], contextlib.AbstractContextManager[Encodes]]


def choose_encoders(
    names: Sequence[str], catalogue: Catalogue, corpus: Callable[[], Sequence[str]], models: Path, device: str = "auto"
) -> list[Encoder]:
    """Return the encoders of these names; without any, the one that needs no network.

    Parameters
    ----------
    names
        Of the catalogue, or hashed_tfidf_svd. Empty: the first encoder of the catalogue whose Python package is installed, else
        hashed_tfidf_svd.
    corpus
        Gives the names of the vocabulary, which hashed_tfidf_svd is fitted on.
    models
        Where fitted encoders are kept.
    device
        auto, cpu, cuda or mps.

    Raises
    ------
    CatalogueError
        If a name is not in the catalogue, or no encoder there.
    ModelError
        If weights are missing or unsafe.
    """
    known = catalogue.for_task("embeddings")
    wanted = list(dict.fromkeys(names)) or [_offline(known)]
    found = []
    for name in wanted:
        if name == hashed_tfidf.NAME:
            found.append(_hashed(corpus(), models))
            continue
        entry = next((entry for entry in known if entry.name == name), None)
        if entry is None:
            raise CatalogueError(
                f"no encoder {name!r} in the catalogue; known: {', '.join(e.name for e in known)}, {hashed_tfidf.NAME}"
            )
        found.append(_catalogued(entry, device))
    return found


@contextlib.contextmanager
def kept_open(encoder: Encoder) -> Iterator[Encoder]:
    """Give the same encoder, opened at most once and only if something is to be encoded; it is closed at the end."""
    with contextlib.ExitStack() as stack:
        opened: list[Encodes] = []

        def once(log: Log) -> contextlib.AbstractContextManager[Encodes]:
            if not opened:
                opened.append(stack.enter_context(encoder.open(log)))
            return contextlib.nullcontext(opened[0])

        yield replace(encoder, open=once)


def vocabulary_names(connection: Any) -> list[str]:
    """Return the distinct names of conditions, procedures, drugs, measurements and observations in ``omop.concept``."""
    rows = connection.execute(
        """
        select distinct concept_name from omop.concept
        where domain_id in ('Condition', 'Procedure', 'Drug', 'Measurement', 'Observation') and length(concept_name) > 1 order by 1
        """
    ).fetchall()
    return [row[0] for row in rows]


def _offline(known: Sequence[ModelEntry]) -> str:
    installed = (e.name for e in known if e.package and importlib.util.find_spec(e.package.split("/")[0]))
    return next(installed, hashed_tfidf.NAME)


def _hashed(corpus: Sequence[str], models: Path) -> Encoder:
    revision = hashed_tfidf.corpus_revision(corpus)

    @contextlib.contextmanager
    def opened(log: Log) -> Iterator[Encodes]:
        log(
            f"{hashed_tfidf.NAME}: hashed TF-IDF with SVD, fitted on {len(corpus):,} names of the vocabulary; it knows spelling only"
        )
        yield hashed_tfidf.fitted_on(corpus, models)

    return Encoder(hashed_tfidf.NAME, revision, hashed_tfidf.DIMENSION, lambda _instruction: revision, opened)


def _catalogued(entry: ModelEntry, device: str) -> Encoder:
    where = find_device("cpu" if entry.backend == "server" else device)
    revision, dtype = encoder_revision(entry), encoder_dtype(entry, where)
    return Encoder(
        entry.name,
        revision,
        embedding_settings(entry).dimension,
        lambda instruction: settings_sha(entry, revision, dtype, instruction),
        lambda log: open_encoder(entry, where, log=log),
    )
