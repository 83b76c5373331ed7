"""Whether a note says anything that a labeller could use.

Put here the cheap judgement per note. It errs to ``usable``: a labeller that reads a stub loses a little time, a usable
note that nobody reads is lost.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["note_status", "status_column"]

_SHORT_BYTES = 400  # a placeholder is short; a long note that mentions a scan is a note
_HEAD_CHARS = 1500
_FEWEST_WORDS = 15  # of fewer words no language can be told
_FOREIGN_SHARE = 0.12
_OTHER_SCRIPT_SHARE = 0.5

_SUBSTANCE = r"[\p{L}\p{N}]"
_POINTER = (
    r"(?i:\b(?:see|refer\s+to|view|located\s+in|available\s+in|filed\s+(?:as|in))\s+(?:the\s+|an?\s+)?(?:attached\s+|separate\s+)?"
    r"(?:scan(?:ned|s)?|attach(?:ed|ment)|media\s+tab|imaged|image\s+of)\b"
    r"|\b(?:scanned\s+(?:image|document|report|copy|note|in(?:to)?|by|media|file)|(?:image|scan)\s+only|"
    r"document\s+(?:was\s+|has\s+been\s+)?(?:scanned|imaged)|handwritten\s+note\s+scanned)\b)"
)
_STUB = (
    r"(?i:\b(?:erroneous\s+encounter|(?:entered|opened|created|charted|documented)\s+in\s+error|please\s+disregard|"
    r"disregard\s+(?:this\s+)?(?:note|encounter)|wrong\s+(?:patient|chart)|"
    r"(?:note|text|report|transcription|dictation)\s+(?:is\s+|was\s+)?(?:not\s+available|unavailable|deleted|removed|pending)|"
    r"no\s+(?:note|text|show)|did\s+not\s+show|this\s+is\s+a\s+test|test\s+note|note\s+intentionally\s+(?:left\s+)?blank)\b"
    r"|^\s*(?:none|n/?a|null|nan|test|error|deleted|pending|see\s+note|same|unknown|not\s+available|tbd)\s*[.!]?\s*$)"
)
_PLACEHOLDERS = {"stub": (_STUB, re.compile(_STUB)), "scanned_pointer": (_POINTER, re.compile(_POINTER))}
_SENTENCE = re.compile(r"[.;!?\n]+")
_MOST_BESIDES = 40  # characters beside the placeholder's sentence that make it a note after all
# Five hits of these and the note is English enough; they are rare as words of the other languages below.
_ENGLISH = r"(?:the|and|with|of|this|that|were|been|which|patient|history|denies|should|from|she|his|her|had|has|is|was|for|no)"
_CLEARLY_ENGLISH = rf"(?is)(?:\b{_ENGLISH}\b.*?){{5}}"
_ENGLISH_WORDS = frozenset(
    "the and with of this that were been which patient history denies should from she his her had has is was for no to "
    "on by he at as are or be not left right normal pain negative positive daily".split()
)
_FOREIGN_WORDS = {
    "es": "el la los las de del que y con sin por para una un se su fue paciente es al presenta años refiere dolor",
    "fr": "le la les des du et avec sans pour une un est sont dans par sur au aux qui il elle patiente chez ans pas",
    "de": "der die das und mit ohne für ein eine ist sind bei nicht wurde wird dem den des auf zur im vom keine seit",
    "it": "il lo gli della del di che con senza per una un è sono nel al alla paziente si da anni dolore presenta",
    "pt": "o os da do das dos de que e com sem por para uma um foi não ao na no paciente há anos apresenta dor se",
    "nl": "de het een en met zonder voor van op bij niet werd wordt is zijn aan heeft patiënt geen jaar naar uit te",
    "sv": "och med utan för en ett är som på av till inte har patienten vid det den från sedan ingen kan men om",
    "pl": "i z w na do nie się jest pacjent oraz od po przez bez dla został ze bólu lat roku przy bóle o to",
}
_FOREIGN = {language: frozenset(words.split()) for language, words in _FOREIGN_WORDS.items()}
_SCRIPTS = {
    "CYRILLIC": {"ru", "uk", "bg", "sr"},
    "GREEK": {"el"},
    "ARABIC": {"ar", "fa", "ur"},
    "HEBREW": {"he"},
    "CJK": {"zh", "ja"},
    "HIRAGANA": {"ja"},
    "KATAKANA": {"ja"},
    "HANGUL": {"ko"},
    "DEVANAGARI": {"hi", "mr", "ne"},
    "THAI": {"th"},
}
_WORD = re.compile(r"[^\W\d_]+")


def note_status(text: str, *, min_usable_chars: int, languages_enabled: Collection[str] = ("en",)) -> str:
    """Return the status of one normalised text; see ``status_column``."""
    column = pa.array([text], pa.large_string())
    return str(status_column(column, min_usable_chars=min_usable_chars, languages_enabled=languages_enabled)[0].as_py())


def status_column(text: pa.Array, *, min_usable_chars: int, languages_enabled: Collection[str] = ("en",)) -> pa.Array:
    """Return one of NOTE_STATUSES per text.

    ``blank`` has neither letter nor digit, ``scanned_pointer`` points to a document elsewhere, ``stub`` has fewer than
    ``min_usable_chars`` characters or says that there is no note, ``not_english`` is clearly in a language that is not
    enabled, and all else is ``usable``.

    Args:
        text: Normalised texts (large_string), no nulls.
        min_usable_chars: Characters, outer white space not counted.
        languages_enabled: ISO 639-1 codes; English is always enabled.
    """
    size = len(text)
    status = np.full(size, "usable", dtype=object)
    blank = ~_matches(text, _SUBSTANCE)
    status[blank] = "blank"
    short = np.flatnonzero((pc.binary_length(text).to_numpy(zero_copy_only=False) < _SHORT_BYTES) & ~blank)
    if short.size:
        few = text.take(pa.array(short))
        trimmed = pc.utf8_length(pc.utf8_trim_whitespace(few)).to_numpy(zero_copy_only=False)
        status[short[trimmed < min_usable_chars]] = "stub"
        for name, (pattern, compiled) in _PLACEHOLDERS.items():
            for index in np.flatnonzero(_matches(few, pattern)).tolist():
                if _says_little_else(few[index].as_py(), compiled):
                    status[short[index]] = name
    left = np.flatnonzero(status == "usable")
    if left.size:
        heads = pc.utf8_slice_codeunits(text.take(pa.array(left)), 0, _HEAD_CHARS)
        enabled = frozenset(languages_enabled)
        for index in np.flatnonzero(~_matches(heads, _CLEARLY_ENGLISH)).tolist():
            if _is_other_language(heads[index].as_py(), enabled):
                status[left[index]] = "not_english"
    return pa.array(status, pa.string())


def _matches(text: pa.Array, pattern: str) -> np.ndarray:
    return np.asarray(pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False), dtype=bool)


def _says_little_else(text: str, placeholder: re.Pattern[str]) -> bool:
    others = (sentence.strip() for sentence in _SENTENCE.split(text) if not placeholder.search(sentence))
    return sum(len(other) for other in others) <= _MOST_BESIDES


def _is_other_language(head: str, enabled: frozenset[str]) -> bool:
    scripts: dict[str, int] = {}
    n_letters = 0
    for character in head:
        if character.isalpha():
            n_letters += 1
            if ord(character) > 0x24F:
                name = unicodedata.name(character, "OTHER").split()[0].split("-")[0]
                scripts[name] = scripts.get(name, 0) + 1
    if scripts and sum(scripts.values()) > _OTHER_SCRIPT_SHARE * n_letters and n_letters >= _FEWEST_WORDS:
        main = max(scripts, key=lambda name: scripts[name])
        return not (_SCRIPTS.get(main, set()) & enabled)
    words = _WORD.findall(head.lower())
    if len(words) < _FEWEST_WORDS:
        return False
    n_english = sum(word in _ENGLISH_WORDS for word in words)
    hits = {language: sum(word in known for word in words) for language, known in _FOREIGN.items()}
    language = max(hits, key=lambda name: hits[name])
    foreign = hits[language] >= _FOREIGN_SHARE * len(words) and hits[language] > 2 * n_english
    return foreign and language not in enabled
