"""The offline extractor: the tagger that was trained on the landed corpora, behind the contract of `extraction`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.entities.extraction import Extraction, Extractor
from clinical_assets.entities.linear_chain import LinearChain
from clinical_assets.entities.names import Names
from clinical_assets.entities.tagger import Choice, Tagger
from clinical_assets.entities.tagger_store import load_network, open_verified, promoted_tagger
from clinical_assets.entities.token_features import FeatureMaker

__all__ = ["SpacyExtractor", "load_spacy_extractor"]

_LONGEST = 200_000  # characters; the field keeps all tokens of a text in memory


@dataclass
class SpacyExtractor:
    """The trained tagger; see `extraction.Extractor`."""

    tagger: Tagger
    model_revision: str
    name: str = "spacy"
    adapter_sha: str = ""
    prompt_sha: str = ""
    decoding: str = "tagger"

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        """Yield one extraction per text; a blank text has status no_text, one of more than 200,000 characters too_long."""
        statuses = [_unreadable(text) for text in texts]
        tagged = self.tagger.tag([text for text, status in zip(texts, statuses, strict=True) if status is None])
        for status in statuses:
            yield Extraction((), status) if status else Extraction(tuple(next(tagged)))


def _unreadable(text: str) -> str | None:
    """Return the status of a text that is not read, else None."""
    if not text.strip():
        return "no_text"
    return "too_long" if len(text) > _LONGEST else None


def load_spacy_extractor(models: Path) -> Extractor:
    """Return the promoted tagger of a models folder, once every file of it has the digest it was written with.

    Raises
    ------
    TaggerError
        If none was trained yet, or it is damaged; the message says what to do.
    """
    digest = promoted_tagger(models)
    folder, _ = open_verified(models, digest)
    words = {word: tuple(row) for word, row in _json(folder / "words.json").items()}
    names = Names.from_json(_json(folder / "names.json"))
    choice = Choice(**_json(folder / "choice.json"))
    network = load_network(folder / "network") if (folder / "network").is_dir() else None
    tagger = Tagger(FeatureMaker(words, names), LinearChain(folder / "chain.crfsuite"), network, choice)
    return SpacyExtractor(tagger, digest)


def _json(path: Path) -> dict:  # type: ignore[type-arg]
    said: dict = json.loads(path.read_text(encoding="utf-8"))  # type: ignore[type-arg]
    return said
