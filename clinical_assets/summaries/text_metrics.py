"""What is measured on the texts alone: compression and repetition."""

from __future__ import annotations

import re
from collections import Counter

from clinical_assets.summaries.ratios import Ratio

__all__ = ["SHORT_TOKENS", "compression", "count_tokens", "repetition", "tokens"]

SHORT_TOKENS = 30  # a text shorter than this cannot be asked to be halved without losing facts
_GRAM = 4

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|\w{1,80}|[^\w\s]")


def tokens(text: str) -> list[str]:
    """Return words, numbers ("2.5", "120/80" and "2021-03-05" are one each) and single marks of punctuation, in any script.

    A run of more than 80 letters (a blob, a script without spaces) counts as several words, so that it has a length.
    """
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Return how many `tokens` there are: lengths, budgets and ratios of every summarizer. No model's tokenizer, so that they compare."""
    return sum(1 for _ in _TOKEN.finditer(text))


def compression(summary: str, original: str, *, shortest: int = SHORT_TOKENS) -> dict[str, Ratio]:
    """Return how long the summary is beside what it shortens: length(summary) / length(original), smaller is shorter.

    Parameters
    ----------
    summary, original
        The shorter text, and the first stage or the source.
    shortest
        An original with fewer tokens is flagged: such quotients explode (the seed's reached 14.1 over 48 characters) and are
        kept out of means. An empty summary is flagged too: it has left everything out, which is no compression.

    Returns
    -------
    dict
        `tokens` and `characters` (the seed's Compression_Ratio; surrounding white space is not counted). Undefined for an empty original.
    """
    n, n_left = count_tokens(original), count_tokens(summary)
    flagged = n < shortest or not n_left
    return {
        "tokens": Ratio(n_left, n, flagged),
        "characters": Ratio(len(summary.strip()), len(original.strip()), flagged) if n else Ratio(0, 0, flagged),
    }


def repetition(text: str) -> Ratio:
    """Return the share of 4-grams of tokens that occurred before in the text: 1 - distinct / all.

    0 where nothing is said twice, near 1 for a text in a loop (rep-n of Welleck et al. 2020 with n = 4). Case is ignored.
    Undefined below 4 tokens.
    """
    words = tokens(text.lower())
    grams = Counter(zip(*(words[i:] for i in range(_GRAM)), strict=False))
    total = grams.total()
    return Ratio(total - len(grams), total)
