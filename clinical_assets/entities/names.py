"""Lists of names that the tagger knows: of a vocabulary, and of corpora that annotate only one type. Never of the text that is judged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clinical_assets.storage.entity_contracts import ENTITY_TYPES

__all__ = ["Names", "collect_names"]

_WORD = re.compile(r"[a-z]{4,}")
_SPACES = re.compile(r"\s+")
_LONGEST = 6  # tokens
_MOST_CHARS = 60


@dataclass(frozen=True)
class Names:
    """Names by type.

    Attributes
    ----------
    phrases
        Type -> whole names in small letters without spaces.
    words
        Word -> the lists that it occurs in, e.g. ``vocabulary disease``.
    """

    phrases: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def marks(self, low: Sequence[str]) -> list[list[str]]:
        """Return, per token (in small letters), whether it begins or continues a whole name, of which type."""
        out: list[list[str]] = [[] for _ in low]
        for kind in ENTITY_TYPES:
            known = self.phrases.get(kind, frozenset())
            if known:
                self._mark(low, kind, known, out)
        return out

    @staticmethod
    def _mark(low: Sequence[str], kind: str, known: frozenset[str], out: list[list[str]]) -> None:
        i = 0
        while i < len(low):
            length = next((n for n in range(min(_LONGEST, len(low) - i), 0, -1) if "".join(low[i : i + n]) in known), 0)
            for k in range(length):
                out[i + k].append(f"name {kind} {'B' if k == 0 else 'I'}")
            i += max(length, 1)

    def to_json(self) -> dict[str, object]:
        """Return them as JSON-serialisable values."""
        return {
            "phrases": {kind: sorted(known) for kind, known in sorted(self.phrases.items())},
            "words": {word: list(lists) for word, lists in sorted(self.words.items())},
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Mapping[str, Sequence[str]]]) -> Names:
        """Read what `to_json` returned."""
        return cls(
            {kind: frozenset(known) for kind, known in said["phrases"].items()},
            {word: tuple(lists) for word, lists in said["words"].items()},
        )


def collect_names(sources: Iterable[tuple[str, str, str]]) -> Names:
    """Return the names of (source, type, name), e.g. ``("vocabulary", "disease", "Gout")``; the same in any order."""
    phrases: dict[str, set[str]] = {}
    words: dict[str, set[str]] = {}
    for source, kind, name in sources:
        low = name.lower()
        squashed = _SPACES.sub("", low)
        if 2 < len(squashed) <= _MOST_CHARS:
            phrases.setdefault(kind, set()).add(squashed)
        for word in _WORD.findall(low):
            words.setdefault(word, set()).add(f"{source} {kind}")
    return Names(
        {kind: frozenset(known) for kind, known in phrases.items()},
        {word: tuple(sorted(lists)) for word, lists in sorted(words.items())},
    )
