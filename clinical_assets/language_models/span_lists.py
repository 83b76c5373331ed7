"""Answers that are lists of words of a text: how they are written, read, and held to the text by a grammar.

    chemicals:
    - imatinib
    diseases: none
    influences:
    - imatinib | nausea

An empty list is `none`, said outright. Under the grammar every item is a run of whole words and signs of the text, so that nothing can
be listed that does not stand there (llguidance, ``substring_chunks``). No penalty on repetition: the text's own words are what is wanted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from clinical_assets.language_models.answers import sha256

__all__ = ["ListSpec", "SpanLists", "flat"]

_VERSION = 1
_NONE, _ITEM, _BETWEEN = "none", "\n- ", " | "
_MOST_ITEMS, _LONGEST = 64, 150
_CHUNKS = re.compile(r"\w+|[^\w\s]|\s+")
Items = tuple[tuple[str, ...], ...]  # of one list; every item has as many parts as its list says


@dataclass(frozen=True)
class ListSpec:
    """A list: its heading, and of how many parts (words of the text) an item is made."""

    name: str
    n_parts: int = 1


def flat(text: str) -> str:
    """Return a text with single blanks for white space: an item stands in one line."""
    return " ".join(text.split())


@dataclass(frozen=True)
class SpanLists:
    """Several lists, in this order."""

    lists: tuple[ListSpec, ...]

    @property
    def sha(self) -> str:
        """Digest of how answers are written and held to the text."""
        said = [_VERSION, _MOST_ITEMS, _LONGEST, [[spec.name, spec.n_parts] for spec in self.lists]]
        return sha256("span_lists", json.dumps(said))

    def render(self, lists: Sequence[Sequence[Sequence[str]]]) -> str:
        """Return the answer that says these lists."""
        blocks = []
        for spec, items in zip(self.lists, lists, strict=True):
            lines = "".join(_ITEM + _BETWEEN.join(flat(part) for part in item) for item in items[:_MOST_ITEMS])
            blocks.append(f"{spec.name}:" + (lines or f" {_NONE}"))
        return "\n".join(blocks)

    def parse(self, answer: str) -> tuple[Items, ...] | None:
        """Return the lists of an answer; None where it cannot be read. Items without words are left out."""
        headings = rf"(?:{'|'.join(re.escape(spec.name) for spec in self.lists)})"
        blocks = re.split(rf"(?:\A|\n)(?={headings}:(?:\n|\s*{_NONE}\s*(?:\n|\Z)|\Z))", answer.strip())
        found: dict[str, Items] = {}
        for block in filter(None, blocks):
            name, _, rest = block.partition(":")
            spec = next((one for one in self.lists if one.name == name), None)
            items = _items(rest, spec.n_parts) if spec else None
            if items is None or name in found:
                return None
            found[name] = items
        return tuple(found[spec.name] for spec in self.lists) if len(found) == len(self.lists) else None

    def grammar(self, text: str) -> str:
        """Return the grammar (llguidance's Lark) of all answers about a text."""
        blocks = []
        for index, spec in enumerate(self.lists):
            item = f"{json.dumps(_ITEM)} {f' {json.dumps(_BETWEEN)} '.join(['SPAN'] * spec.n_parts)}"
            heading = json.dumps(("\n" if index else "") + f"{spec.name}:")
            blocks.append(f'{heading} ( " {_NONE}" | ( {item} ){{1,{_MOST_ITEMS}}} )')
        chunks = _CHUNKS.findall(flat(text)) or ["-"]
        return (
            f"start: {' '.join(blocks)}\n"
            f"SPAN: /[^ ][^\\n]{{0,{_LONGEST - 1}}}/ & WORDS\n"
            f"WORDS: %regex {json.dumps({'substring_chunks': chunks})}\n"
        )


def _items(block: str, n_parts: int) -> Items | None:
    if block.strip() == _NONE:
        return ()
    lines = [line for line in block.split("\n") if line.strip()]
    if not lines or any(not line.startswith(_ITEM.strip()) for line in lines):
        return None
    items = [tuple(part.strip() for part in line[1:].split(_BETWEEN, n_parts - 1)) for line in lines]
    return tuple(item for item in items if len(item) == n_parts and all(item))
