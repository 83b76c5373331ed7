"""Which extractor a study means, what tells its answers from others, and how it is opened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.entities.concepts import Vocabulary
from clinical_assets.entities.extraction import Extractor
from clinical_assets.entities.gazetteer import GAZETTEER, GazetteerExtractor, gazetteer_names, names_revision
from clinical_assets.study.model import Study

__all__ = ["SPACY", "ChosenExtractor", "ExtractorError", "choose_extractor", "opened"]

SPACY = "spacy"
Log = Callable[[str], None]


class ExtractorError(ValueError):
    """An extractor cannot be used; the message says which, why and how to mend it."""


@dataclass(frozen=True)
class ChosenExtractor:
    """An extractor that is not opened yet.

    Attributes
    ----------
    identity
        Its constant part of ENTITY_IDENTITY: every column but note_id and note_sha256.
    open
        Takes a log; opens it.
    """

    identity: Mapping[str, str]
    open: Callable[[Log], contextlib.AbstractContextManager[Extractor]]


def choose_extractor(
    study: Study,
    names: Vocabulary,
    models: Path,
    language_models: Mapping[str, Callable[[], ChosenExtractor]] | None = None,
) -> ChosenExtractor:
    """Return the extractor that ``entities.extractor`` of the study means.

    Parameters
    ----------
    names
        Of the vocabulary; the gazetteer looks for them.
    models
        Where trained models are kept.
    language_models
        Name in the catalogue -> what makes the extractor of it.

    Raises
    ------
    ExtractorError
        If the name is not known.
    TaggerError
        If spacy is wanted and no model is trained; the message says how to get one.
    """
    wanted, of_catalogue = study.entities.extractor, language_models or {}
    if wanted == GAZETTEER:
        known = gazetteer_names(study, names.names)
        identity = _identity(GAZETTEER, names_revision(known), "matcher")
        return ChosenExtractor(identity, lambda _log: contextlib.nullcontext(GazetteerExtractor(known)))
    if wanted == SPACY:
        return _trained(models)
    if wanted in of_catalogue:
        return of_catalogue[wanted]()
    raise ExtractorError(
        f"entities.extractor: no extractor {wanted!r}; known: {', '.join([SPACY, GAZETTEER, *sorted(of_catalogue)])} (models of the "
        "catalogue need task entities)"
    )


@contextlib.contextmanager
def opened(chosen: ChosenExtractor, log: Log) -> Iterator[Extractor]:
    """Open an extractor, and hold it against the identity under which its answers are kept.

    Raises
    ------
    ExtractorError
        If what opened is another one: its answers would be kept under a wrong name.
    """
    with chosen.open(log) as extractor:
        differs = [name for name, value in chosen.identity.items() if _attribute(extractor, name) != value]
        if differs:
            raise ExtractorError(
                f"extractor {chosen.identity['extractor']!r}: {', '.join(differs)} changed while it was opened; run the step again"
            )
        yield extractor


def _attribute(extractor: Extractor, column: str) -> str:
    return str(getattr(extractor, "name" if column == "extractor" else column))


def _identity(name: str, revision: str, decoding: str) -> dict[str, str]:
    return {
        "extractor": name,
        "model_revision": revision,
        "adapter_sha": "",
        "prompt_sha": "",
        "decoding": decoding,
    }


def _trained(models: Path) -> ChosenExtractor:
    from clinical_assets.entities.spacy_extractor import load_spacy_extractor
    from clinical_assets.entities.tagger_store import promoted_tagger

    # its digest is known without opening it
    identity = _identity(SPACY, promoted_tagger(models), "tagger")
    return ChosenExtractor(identity, lambda _log: contextlib.nullcontext(load_spacy_extractor(models)))
