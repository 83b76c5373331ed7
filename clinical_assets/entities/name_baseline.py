"""The baseline that every extractor has beside it: the names that the train split annotates, looked up word for word."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.entities.tokens import tokenize

__all__ = ["NameBaseline", "learn_names"]

_SHORTEST = 3  # characters; shorter names are abbreviations of many things


@dataclass
class NameBaseline:
    """Longest names first, from left to right, whole tokens, small and capital letters alike; see `extraction.Extractor`."""

    names: dict[tuple[str, ...], str]
    model_revision: str
    name: str = "gazetteer"
    adapter_sha: str = ""
    prompt_sha: str = ""
    decoding: str = "matcher"

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        """Yield one extraction per text."""
        longest = max((len(name) for name in self.names), default=0)
        for text in texts:
            tokens = tokenize(text)
            low = [word.lower() for _, _, word in tokens]
            found, i = [], 0
            while i < len(low):
                fits = (n for n in range(min(longest, len(low) - i), 0, -1) if tuple(low[i : i + n]) in self.names)
                n = next(fits, 0)
                if n:
                    found.append(Found(tokens[i][0], tokens[i + n - 1][1], self.names[tuple(low[i : i + n])]))
                i += max(n, 1)
            yield Extraction(tuple(found))


def learn_names(documents: Iterable[tuple[str, Sequence[tuple[int, int, str]]]]) -> NameBaseline:
    """Return the baseline of (text, mentions) of a train split; a name of two types has the one it has more often."""
    kinds: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for text, mentions in documents:
        for start, end, kind in mentions:
            if end - start >= _SHORTEST:
                kinds[tuple(word.lower() for _, _, word in tokenize(text[start:end]))][kind] += 1
    names = {name: min(seen, key=lambda kind: (-seen[kind], kind)) for name, seen in sorted(kinds.items())}
    said = "\n".join(f"{' '.join(name)}\t{kind}" for name, kind in names.items())
    return NameBaseline(names, hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32])
