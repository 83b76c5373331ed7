"""What a conditional random field is told of each token: its form, its neighbours, its class, the rest of its document.

Features are strings, as CRFsuite takes them. What depends on a word and its distance alone is made once per word.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache

from clinical_assets.entities.abbreviations import long_forms
from clinical_assets.entities.names import Names

__all__ = ["FeatureMaker", "WordClasses"]

WordClasses = Mapping[str, tuple[str, ...]]  # word in small letters, digits as 0 -> names of the classes that it is in

_STOP = frozenset(
    "the of and in to a with was were for by on is that at from as an or be are this after had has have not which we during".split()
)
_GREEK = frozenset("alpha beta gamma delta omega kappa".split())
_RUN = re.compile(r"(.)\1+")
_KINDS = str.maketrans(
    {
        **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "X"),
        **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "x"),
        **dict.fromkeys("0123456789", "d"),
    }
)
_NEAR = (-3, -2, -1, 1, 2, 3)
_OCCURRENCES = 8  # of one word in a document that are looked at


class FeatureMaker:
    """Makes the features of documents.

    Parameters
    ----------
    classes
        Clusters of words; a word that is in none has no such feature.
    names
        Names of a vocabulary or of other corpora.
    """

    def __init__(self, classes: WordClasses, names: Names | None = None) -> None:
        self._classes, self._names = classes, names or Names()
        self._own = lru_cache(maxsize=1 << 15)(self._own_features)
        self._near = lru_cache(maxsize=1 << 17)(self._near_features)

    def document(self, words: Sequence[str]) -> list[list[str]]:
        """Return the features of each token of a document."""
        n, low = len(words), [word.lower() for word in words]
        rows: list[list[str]] = []
        for i, word in enumerate(words):
            row = list(self._own(word))
            for step in _NEAR:
                j = i + step
                row += self._near(words[j], step) if 0 <= j < n else (f"{step}|none",)
            if i:
                row.append(f"-1+0={low[i - 1]} {low[i]}")
            if i + 1 < n:
                row.append(f"0+1={low[i]} {low[i + 1]}")
            rows.append(row)
        self._add_names(rows, low)
        _add_content_words(rows, low)
        self._add_document(rows, low)
        self._add_abbreviations(rows, words, low)
        return rows

    def classes(self, word: str) -> tuple[str, ...]:
        """Return the classes of a word."""
        low = word.lower()
        return (*self._classes.get("0" if word.isdigit() else low, ()), *self._names.words.get(low, ()))

    def _own_features(self, word: str) -> tuple[str, ...]:
        low, shape, n = word.lower(), word.translate(_KINDS), len(word)
        out = [f"w={low}", f"s={_RUN.sub(lambda m: m[1], shape)[:8]}", f"S={shape[:6]}"]
        if n > 3:
            out += [f"p={low[:k]}" for k in (2, 3, 4, 5) if k < n] + [f"x={low[-k:]}" for k in (2, 3, 4, 5, 6) if k < n]
        if n > 5:
            out += [f"g={low[i : i + 4]}" for i in range(1, n - 3)]
        out.append(f"l={low[:-1] if low.endswith('s') and n > 4 else low}")
        if any(c.isdigit() for c in word):
            out.append("digit")
        if word.isupper() and n > 1:
            out.append(f"capitals={min(n, 6)}")
        if low in _GREEK:
            out.append("greek")
        return (*out, *(f"0|{name}" for name in self.classes(word)))

    def _near_features(self, word: str, step: int) -> tuple[str, ...]:
        low = word.lower()
        out = [f"{step}|w={low}"]
        if abs(step) <= 2:
            out.append(f"{step}|s={_RUN.sub(lambda m: m[1], word.translate(_KINDS))[:6]}")
            if len(low) > 4:
                out += [f"{step}|x={low[-3:]}", f"{step}|x={low[-4:]}"]
            out += [f"{step}|{name}" for name in self.classes(word)]
        return tuple(out)

    def _add_names(self, rows: list[list[str]], low: Sequence[str]) -> None:
        for i, marks in enumerate(self._names.marks(low)):
            for mark in marks:
                for step in range(-2, 3):
                    if 0 <= i - step < len(rows):
                        rows[i - step].append(f"{step}|{mark}")

    def _add_document(self, rows: list[list[str]], low: Sequence[str]) -> None:
        """Tell each occurrence of a word what stands beside the others: one clear context speaks for all."""
        at: dict[str, list[int]] = defaultdict(list)
        for i, word in enumerate(low):
            if len(word) > 3 and word not in _STOP:
                at[word].append(i)
        n = len(low)
        for places in at.values():
            if len(places) < 2:
                continue
            told = set()
            for i in places[:_OCCURRENCES]:
                if i > 0:
                    told.add(f"d-1={low[i - 1]}")
                if i > 1:
                    told.add(f"d-2={low[i - 2]} {low[i - 1]}")
                if i + 1 < n:
                    told.add(f"d+1={low[i + 1]}")
                if i + 2 < n:
                    told.add(f"d+2={low[i + 1]} {low[i + 2]}")
            shared = ["again", *sorted(told)]
            for i in places:
                rows[i] += shared

    def _add_abbreviations(self, rows: list[list[str]], words: Sequence[str], low: Sequence[str]) -> None:
        """Tell an abbreviation what the last word of its long form is like."""
        found = long_forms(words)
        for i, word in enumerate(words):
            if word in found:
                head = low[found[word][1] - 1]
                rows[i] += ["short", f"long={head}", f"long x={head[-4:]}", f"long x={head[-3:]}"]
                rows[i] += [f"long {name}" for name in self.classes(head)]


def _add_content_words(rows: list[list[str]], low: Sequence[str]) -> None:
    """Add the two words before and after each token that carry meaning."""
    content = [i for i, word in enumerate(low) if len(word) > 2 and word not in _STOP]
    after = 0
    for i, row in enumerate(rows):
        while after < len(content) and content[after] < i:
            after += 1
        row += [f"L={low[j]}" for j in content[max(after - 2, 0) : after]]
        first = after + 1 if after < len(content) and content[after] == i else after
        row += [f"R={low[j]}" for j in content[first : first + 2]]
