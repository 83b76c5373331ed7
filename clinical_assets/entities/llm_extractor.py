"""The extractor that is a language model: it lists chemicals, diseases and influences, word by word from the text.

Every place in the text where a listed name stands is a mention; where names overlap the longest counts. An influence counts if both of
its names are listed and stand in the text; else it is dropped, and counted as such.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from clinical_assets.entities.choice import ChosenExtractor
from clinical_assets.entities.extraction import Extraction, Extractor, Found
from clinical_assets.entities.windows import combined
from clinical_assets.entities.wording import ENTITY_LISTS, ENTITY_PROMPT, LISTED_TYPES
from clinical_assets.labels.parts import parts_of
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.adapter_store import adapter_folder
from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.catalogue import ENTITIES_TASK, ModelEntry, load_catalogue
from clinical_assets.language_models.list_writing import Listed, open_list_writer
from clinical_assets.language_models.opening import backend_revision
from clinical_assets.settings import Settings
from clinical_assets.study.model import Study

__all__ = ["DECODING", "LlmExtractor", "choose_llm", "llm_extractors", "occurrences"]

DECODING = "constrained_list"
_MARGIN = 8  # tokens by which a part may cost more within the prompt than by itself


class Lister(Protocol):
    """Lists words of texts (`language_models.list_writing.ListWriter`)."""

    room: int

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs."""

    def write(self, texts: Sequence[str]) -> Iterator[tuple[int, Listed]]:
        """Yield (index of the text, what was listed), in any order."""


class LlmExtractor:
    """A language model as an extractor; see `extraction.Extractor`.

    Parameters
    ----------
    identity
        Its constant part of ENTITY_IDENTITY.
    """

    whole_texts = True  # it cuts texts by tokens

    def __init__(self, writer: Lister, identity: dict[str, str]) -> None:
        self._writer = writer
        self.name, self.model_revision = identity["extractor"], identity["model_revision"]
        self.adapter_sha, self.prompt_sha = identity["adapter_sha"], identity["prompt_sha"]
        self.decoding = identity["decoding"]

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        """Yield what is found in each text; a text of which a part failed is not known at all."""
        for text in texts:
            parts = self._listed(text)
            if not parts:
                yield Extraction((), "no_text")
                continue
            said = [(start, _extraction(text[start:end], told, part)) for part, (start, end, told) in enumerate(parts)]
            yield combined(said)

    def _listed(self, text: str) -> list[tuple[int, int, Listed]]:
        if not text.strip():
            return []
        breaks = [start for start, _ in sentence_spans(text)]
        room = max(self._writer.room - _MARGIN, 8)
        parts = parts_of(text, (), room, self._writer.token_count, overlap=0.0, breaks=breaks)
        told = dict(self._writer.write([text[start:end] for start, end in parts]))
        return [(start, end, told[index]) for index, (start, end) in enumerate(parts)]


def occurrences(text: str, names: Iterable[tuple[str, str]]) -> tuple[list[Found], int]:
    """Return every place of the (name, type) in a text, longest names first where they overlap, and how many names stand nowhere.

    White space within a name may be any in the text, case is as it is; letters and digits do not stand right before or after.
    """
    distinct = sorted(
        {(" ".join(name.split()), kind) for name, kind in names if name.strip()}, key=lambda n: (-len(n[0]), n)
    )
    taken: list[Found] = []
    n_missing = 0
    for name, kind in distinct:
        pattern = r"\s+".join(re.escape(word) for word in name.split(" "))
        places = [match.span() for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text)]
        n_missing += not places
        taken += [
            Found(start, end, kind)
            for start, end in places
            if all(end <= other.start or other.end <= start for other in taken)
        ]
    return sorted(taken), n_missing


def choose_llm(entry: ModelEntry, models: Path, max_new_tokens: int, device: str = "auto") -> ChosenExtractor:
    """Return a model of the catalogue as an extractor, with its promoted adapter where there is one.

    Raises
    ------
    ModelError
        If local weights are missing or unsafe.
    """
    adapter = pointed_at(models, ENTITIES_TASK, entry, "promoted") or ""
    identity = {
        "extractor": entry.name,
        "model_revision": backend_revision(entry, None),
        "adapter_sha": adapter,
        "prompt_sha": sha256(ENTITY_PROMPT.sha256, ENTITY_LISTS.sha, entry.template_text(), str(max_new_tokens)),
        "decoding": DECODING,
    }

    @contextlib.contextmanager
    def opened(log: Callable[[str], None]) -> Iterator[Extractor]:
        wears = adapter_folder(models, ENTITIES_TASK, entry, adapter) if adapter else None
        log(f"{entry.name} {'with its promoted adapter' if adapter else 'without an adapter: none is promoted'}")
        with open_list_writer(
            entry, ENTITY_PROMPT, ENTITY_LISTS, max_new_tokens, adapter=wears, device=device, log=log
        ) as writer:
            yield LlmExtractor(writer, identity)

    return ChosenExtractor(identity, opened)


def llm_extractors(settings: Settings, study: Study) -> dict[str, Callable[[], ChosenExtractor]]:
    """Return name -> what chooses the model of that name, for the models of the deployment's catalogue that extract."""
    most, device = study.entities.max_new_tokens, settings.device
    entries = load_catalogue(settings.catalogue).for_task(ENTITIES_TASK)
    return {entry.name: partial(choose_llm, entry, settings.models, most, device) for entry in entries}


def _extraction(text: str, told: Listed, part: int) -> Extraction:
    spent: dict[str, Any] = {"n_input_tokens": told.n_input_tokens, "n_output_tokens": told.n_output_tokens}
    if told.lists is None:
        return Extraction((), told.status, **spent)
    names = [(item[0], kind) for kind, items in zip(LISTED_TYPES, told.lists, strict=False) for item in items]
    found, n_missing = occurrences(text, names)
    first: dict[tuple[str, str], int] = {}
    for one in found:
        first.setdefault((one.entity_type, _words(text, one)), one.start)
    # one place stands for the name: whoever counts goes by what mentions name, not by where
    influenced: dict[str, set[int]] = {}
    n_lost = 0
    for cause, effect in told.lists[len(LISTED_TYPES)]:
        ends = ("chemical", " ".join(cause.split())), ("disease", " ".join(effect.split()))
        if all(end in first for end in ends):
            influenced.setdefault(ends[0][1], set()).add(first[ends[1]])
        else:
            n_lost += 1
    placed = (
        one._replace(
            part=part,
            influences=tuple(sorted(influenced.get(_words(text, one), ()))) if one.entity_type == "chemical" else None,
        )
        for one in found
    )
    return Extraction(tuple(placed), n_dropped=n_missing + n_lost, **spent)


def _words(text: str, one: Found) -> str:
    return " ".join(text[one.start : one.end].split())
