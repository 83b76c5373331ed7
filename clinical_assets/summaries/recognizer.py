"""Entities by a spaCy model that the user has installed: scispaCy's en_core_sci_sm, which tells where entities are, not of what kind.

Names of the vocabulary keep the kind that it gives them; what only the model finds is a `concept`, or disease and drug where a
model does tell (labels DISEASE and CHEMICAL). Negation, doses and figures are found as always.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

__all__ = ["SCISPACY_MODEL", "Recognized", "Recognizer", "SpacyRecognizer", "load_recognizer", "recognizer_name"]

SCISPACY_MODEL = "en_core_sci_sm"
_KINDS = {"DISEASE": "disease", "CHEMICAL": "drug"}
# Only entities are wanted; what else a pipeline does takes most of its time.
_NOT_NEEDED = ["tagger", "parser", "attribute_ruler", "lemmatizer"]


class Recognized(NamedTuple):
    """Characters [start, end) of a text that are an entity, and its kind."""

    start: int
    end: int
    kind: str


class Recognizer(Protocol):
    """What finds entities in a text."""

    def find(self, text: str) -> list[Recognized]:
        """Return the entities of a text, by position, without overlaps."""


class SpacyRecognizer:
    """The entities of a spaCy pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def find(self, text: str) -> list[Recognized]:
        """Return the entities of a text; white space and signs alone are none."""
        self._pipeline.max_length = max(self._pipeline.max_length, len(text) + 1)
        return [
            Recognized(entity.start_char, entity.end_char, _KINDS.get(entity.label_, "concept"))
            for entity in self._pipeline(text).ents
            if any(char.isalpha() for char in entity.text)
        ]


def recognizer_name(wanted: str) -> str | None:
    """Return name and version of the model that a study's ``summaries.extractor`` means; None: our own alone.

    Raises
    ------
    ModuleNotFoundError
        If scispacy is asked for and the model is not installed.
    """
    import importlib.metadata
    import importlib.util

    if wanted == "own":
        return None
    if importlib.util.find_spec(SCISPACY_MODEL) is None:
        if wanted == "scispacy":
            raise ModuleNotFoundError(
                f"summaries.extractor is scispacy, but its model {SCISPACY_MODEL} is not installed: pip install the archive of the "
                "model from scispaCy's releases, or choose auto or own"
            )
        return None
    return f"{SCISPACY_MODEL}@{importlib.metadata.version(SCISPACY_MODEL)}"


@lru_cache(maxsize=1)
def load_recognizer(name: str) -> Recognizer:
    """Return the model of a name that `recognizer_name` gave."""
    import spacy

    return SpacyRecognizer(spacy.load(name.partition("@")[0], exclude=_NOT_NEEDED))
