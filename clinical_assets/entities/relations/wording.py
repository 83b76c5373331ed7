"""How a text words what a chemical and a disease have to do with each other: cues that say `treats`, cues that say `causes`.

The list was written for this project from knowledge of medical language. A cue is reported with its offsets; it is how the text is
worded, never a cause: "bleeding after aspirin" says so, and may be wrong.

In a pattern, CHEM and DIS are the pair, `..n` is up to n words or other mentions, `<...>` is the cue that is reported, alternatives
stand in brackets, and {NAMES} are the lists below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from clinical_assets.labels.folding import fold

__all__ = ["CAUSES", "TREATS", "Wording", "find_wording"]

_LISTS = {
    "CAUSE": "cause(s|d)?|causing|induce(s|d)?|inducing|produce(s|d)?|producing|provoke(s|d)?|provoking|precipitate(s|d)?|"
    "trigger(s|ed)?|elicit(s|ed)?|evoke(s|d)?|le(a)?d(s)? to|leading to|result(s|ed|ing)? in|aggravate(s|d)?|exacerbate(s|d)?|"
    "worsen(s|ed)?|contribute(s|d)? to|responsible for|implicated in|"
    "(increase(s|d)?|raise(s|d)?) (the )?(risk|incidence|frequency|rate) of",
    "CAUSED": "(caused|induced|produced|provoked|precipitated|triggered|elicited|evoked|aggravated|exacerbated|worsened) by|"
    "due to|because of|secondary to|attribut(ed|able) to|associated with|related to|result(s|ed|ing) from|complication(s)? of|"
    "side effect(s)? of|toxicity of|reaction(s)? to|after|following|during|while (on|taking|receiving)|from",
    "SIDE": "(adverse|side|toxic|untoward) (effect|event|reaction)(s)?|toxicity",
    "TREAT": "treat(s|ed|ing)?|prevent(s|ed|ing)?|relieve(s|d)?|relieving|alleviate(s|d)?|ameliorate(s|d)?|attenuate(s|d)?|"
    "reverse(s|d)?|reversing|improve(s|d)?|control(s|led)?|suppress(es|ed)?|inhibit(s|ed)?|block(s|ed)?|abolish(es|ed)?|"
    "protect(s|ed|ing)? (against|from)|reduce(s|d)?|reducing|cure(s|d)?",
    "TREATED": "(treated|managed|controlled|prevented|relieved|alleviated|reversed|improved|suppressed|abolished|attenuated|"
    "ameliorated|reduced|cured) (with|by|using|after|on)",
    "THERAPY": "treatment|management|prevention|prophylaxis|therapy|relief|control",
}
CAUSES = (
    "CHEM - <(induced|associated|related|mediated|provoked|elicited|evoked)> ..5 DIS",
    "DIS ..6 <{CAUSED}> ..6 CHEM",
    "CHEM ..6 <{CAUSE}> ..8 DIS",
    "CHEM <(toxicity|intoxication|overdose|poisoning|abuse|withdrawal)> ..10 DIS",
    "<{SIDE}> (of|to|from|with) ..4 CHEM ..12 DIS",
    "CHEM ..4 <{SIDE}> ..8 DIS",
    "DIS ..6 <{SIDE}> ..4 CHEM",
    "<(after|following|during|while on|while receiving)> ..5 CHEM ..8 (developed|experienced|showed|had) ..6 DIS",
    "(developed|experienced|showed) ..4 DIS ..6 <(after|following|during|on|while)> ..6 CHEM",
)
TREATS = (
    "CHEM ..4 <(for|in)( the)?( ({THERAPY}) of)?> ..3 DIS",
    "CHEM ..4 <as (a |an )?({THERAPY})( (of|for))?> ..4 DIS",
    "<({THERAPY}) (of|for)> ..4 DIS (with|by|using) ..4 CHEM",
    "DIS ..5 <{TREATED}> ..5 CHEM",
    "CHEM ..5 <{TREAT}> ..5 DIS",
    "patient(s)? with ..3 DIS ..6 <(treated|receiving|received|taking|given|on)> ..4 CHEM",
    "DIS , (now |currently )?<(on|taking|continues|continue|started|start)> ..3 CHEM",
    "DIS : <(continue|continues|start|started|on|resume)> ..3 CHEM",
)
_DENIED = re.compile(r"\b(?:no|not|never|without|nor|neither|cannot|failed to|absence of|rather than)\b")
_MOST_CHARACTERS = 800  # of a sentence; beyond, it is a list or a table
_GAP = r"(?:\S+\s+){0,%s}?"


class Wording(NamedTuple):
    """`treats`, `causes` or `none`, and the offsets of the cue; None where there is none."""

    wording: str
    start: int | None = None
    end: int | None = None


def find_wording(
    text: str,
    sentence: tuple[int, int],
    chemical: tuple[int, int],
    disease: tuple[int, int],
    others: Sequence[tuple[int, int]] = (),
) -> Wording:
    """Return how one sentence words a pair that it names: by the cue that stands nearest to both.

    Parameters
    ----------
    sentence
        Offsets of the sentence, which holds both mentions.
    others
        Offsets of other mentions in it.

    A cue with a denial beside it ("did not cause") is none.
    """
    if sentence[1] - sentence[0] > _MOST_CHARACTERS or _overlap(chemical, disease):
        return Wording("none")
    masked, offsets = _mask(text, sentence, chemical, disease, others)
    best: tuple[int, Wording] | None = None
    for wording, pattern in _patterns():
        for match in pattern.finditer(masked):
            length = match.end() - match.start()
            if best is not None and length >= best[0]:
                continue
            if _DENIED.search(match.group()):
                continue
            first, after = _trimmed(masked, *match.span("cue"))
            best = length, Wording(wording, offsets[first], offsets[after - 1] + 1)
    return best[1] if best else Wording("none")


def _trimmed(masked: str, first: int, after: int) -> tuple[int, int]:
    part = masked[first:after]
    return first + len(part) - len(part.lstrip()), after - (len(part) - len(part.rstrip()))


def _mask(
    text: str,
    sentence: tuple[int, int],
    chemical: tuple[int, int],
    disease: tuple[int, int],
    others: Sequence[tuple[int, int]],
) -> tuple[str, list[int]]:
    """Return the folded sentence with CHEM and DIS in place of the pair, OTHER of the rest, and the offset of each character."""
    start, end = sentence
    pair = [(chemical, "CHEM"), (disease, "DIS")]
    rest = [(one, "OTHER") for one in others if not _overlap(one, chemical) and not _overlap(one, disease)]
    out: list[str] = []
    offsets: list[int] = []
    place = start
    for (first, after), name in sorted([*pair, *rest]):
        if first < place or after > end:
            continue  # overlaps the one before
        _plain(text, place, first, out, offsets)
        shown = f" {name} "
        out.append(shown)
        offsets += [first] * len(shown)
        place = after
    _plain(text, place, end, out, offsets)
    return "".join(out), offsets


def _plain(text: str, start: int, end: int, out: list[str], offsets: list[int]) -> None:
    """Add text as it stands, with blanks around marks that are words of a pattern."""
    for offset in range(start, end):
        character = fold(text[offset])
        shown = f" {character} " if character in "-,:" else character
        out.append(shown)
        offsets += [offset] * len(shown)


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


_COMPILED: list[tuple[str, re.Pattern[str]]] = []


def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    if not _COMPILED:
        _COMPILED.extend(
            (name, _compiled(one)) for name, some in (("causes", CAUSES), ("treats", TREATS)) for one in some
        )
    return _COMPILED


def _compiled(pattern: str) -> re.Pattern[str]:
    for name, words in _LISTS.items():
        pattern = pattern.replace(f"{{{name}}}", f"({words})")
    before, rest = pattern.replace("(", "(?:").split("<")
    pattern = f"{before}(?P<cue>{rest.replace('>', ')')}"
    pattern = re.sub(r"\.\.(\d+) ", lambda found: _GAP % found.group(1), pattern)
    return re.compile(rf"(?<!\S){pattern}(?!\S)".replace(" ", r"\s+"))
