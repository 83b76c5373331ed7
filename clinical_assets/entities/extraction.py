"""The one contract of everything that finds diseases and chemicals in a text, whatever it is made of.

Backends are modules of their own (`gazetteer`, `spacy_extractor`, `llm_extractor`); who asks them never knows which it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

__all__ = ["Extraction", "Extractor", "Found"]


class Found(NamedTuple):
    """Characters [start, end) of a text that name an entity.

    Attributes
    ----------
    entity_type
        One of `storage.entity_contracts.ENTITY_TYPES`.
    confidence
        P(mention) of the extractor, 0 to 1; None where it gives none.
    part
        0-based part of the text that was read at once; None where it does not matter how the text was cut.
    influences
        Of a chemical: starts of the diseases of the same part that are said to be influenced by it; None where none was asked.
    """

    start: int
    end: int
    entity_type: str
    confidence: float | None = None
    part: int | None = None
    influences: tuple[int, ...] | None = None


class Extraction(NamedTuple):
    """What was found in one text, in order of start, without overlaps; or why nothing is known of it.

    Attributes
    ----------
    status
        One of `storage.entity_contracts.ENTITY_NOTE_STATUSES`. Anything but ``extracted`` means that nothing is known, never that
        nothing is there.
    n_dropped
        Answers of a language model that do not stand in the text.
    """

    found: tuple[Found, ...]
    status: str = "extracted"
    n_dropped: int = 0
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None


class Extractor(Protocol):
    """Finds entities in texts.

    Attributes
    ----------
    name, model_revision, adapter_sha, prompt_sha, decoding
        What makes its answers its answers; see `storage.entity_contracts.ENTITY_IDENTITY`.
    """

    name: str
    model_revision: str
    adapter_sha: str
    prompt_sha: str
    decoding: str

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        """Yield one extraction per text, in the order of the texts."""
