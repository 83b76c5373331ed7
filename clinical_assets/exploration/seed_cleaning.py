"""The seed's cleaning of notes, to look at and nothing else: what is left when digits, signs, stop words and endings are gone.

It takes away doses, laboratory values, dates and every no and not. No model and no metric of this platform reads its output.
Steps and parameters are the seed's: lower case; digits deleted; all but a-z and white space deleted; white space collapsed; words;
NLTK's English stop words dropped; noun lemmas; of the input, words that the corpus has at most twice dropped.

WordNet is used where the user has it (``nltk`` with its ``wordnet`` data). Otherwise nouns lose the endings that WordNet's own
rules take off, if the shorter word is in the corpus; `Cleaned.lemmatizer` says which it was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

__all__ = ["RARE", "STOP_WORDS", "Cleaned", "clean", "cleaned_text", "noun_rules", "wordnet_lemmatizer", "words_of"]

RARE = 2  # words said at most so often in the corpus are dropped from filtered_input

# NLTK 3.8's list without what has an apostrophe, which no cleaned word has.
STOP_WORDS = frozenset(
    "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its itself they "
    "them their theirs themselves what which who whom this that these those am is are was were be been being have has had having do "
    "does did doing a an the and but if or because as until while of at by for with about against between into through during before "
    "after above below to from up down in out on off over under again further then once here there when where why how all any both "
    "each few more most other some such no nor not only own same so than too very s t can will just don should now d ll m o re ve y "
    "ain aren couldn didn doesn hadn hasn haven isn ma mightn mustn needn shan shouldn wasn weren won wouldn".split()
)
# What NLTK's tokenizer parts without an apostrophe.
_PARTED = {
    "cannot": ("can", "not"), "gimme": ("gim", "me"), "gonna": ("gon", "na"), "gotta": ("got", "ta"), "lemme": ("lem", "me"),
    "wanna": ("wan", "na"),
}  # fmt: skip
# Endings of nouns and what stands in their place (Miller et al. 1990, morphy), the first that gives a known word.
_ENDINGS = (
    ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
)  # fmt: skip
_DIGITS, _OTHER, _SPACE = re.compile(r"\d+"), re.compile(r"[^a-z\s]"), re.compile(r"\s+")


@dataclass(frozen=True)
class Cleaned:
    """One list per step, a text each; None where there was no text. `lemmatizer` is wordnet or noun_rules."""

    text: list[str | None]
    words: list[list[str] | None]
    lemmas: list[list[str] | None]
    filtered: list[list[str] | None]
    lemmatizer: str


def cleaned_text(text: str) -> str:
    """Return the text in lower case without digits and signs; line breaks and sections go too."""
    return _SPACE.sub(" ", _OTHER.sub("", _DIGITS.sub("", text.lower()))).strip()


def words_of(cleaned: str) -> list[str]:
    """Return the words of a cleaned text, as NLTK's word_tokenize does."""
    return [part for word in cleaned.split() for part in _PARTED.get(word, (word,))]


def wordnet_lemmatizer() -> Callable[[str], str] | None:
    """Return WordNet's lemma of a noun; None if nltk or its data is not here. Nothing is downloaded."""
    try:
        from nltk.corpus import wordnet  # type: ignore[import-untyped]
        from nltk.stem import WordNetLemmatizer  # type: ignore[import-untyped]

        wordnet.ensure_loaded()
    except (ImportError, LookupError):
        return None
    lemmatize = WordNetLemmatizer().lemmatize
    return lambda word: str(lemmatize(word))


def noun_rules(known: Collection[str]) -> Callable[[str], str]:
    """Return WordNet's endings without WordNet: a word becomes the first shorter form that is among the known ones."""

    def lemma(word: str) -> str:
        forms = (word[: -len(end)] + instead for end, instead in _ENDINGS if word.endswith(end))
        return next((form for form in forms if len(form) > 2 and form in known), word)

    return lemma


def clean(
    texts: Sequence[str | None], lemmatizer: Callable[[str], str] | None = None, *, least: int = RARE + 1
) -> Cleaned:
    """Clean a corpus.

    Parameters
    ----------
    texts
        None where there is none.
    lemmatizer
        Lemma of a word; None for `noun_rules` over the words of the corpus.
    least
        How often the corpus must say a word for `filtered` to keep it.
    """
    plain = [None if text is None else cleaned_text(text) for text in texts]
    words = [None if text is None else words_of(text) for text in plain]
    known = {word for found in words for word in found or ()}
    lemma = lemmatizer or noun_rules(known)
    lemma_of = {word: lemma(word) for word in known - STOP_WORDS}
    lemmas = [None if found is None else [lemma_of[w] for w in found if w in lemma_of] for found in words]
    counts = Counter(word for found in lemmas for word in found or ())
    filtered = [None if found is None else [w for w in found if counts[w] >= least] for found in lemmas]
    return Cleaned(plain, words, lemmas, filtered, "wordnet" if lemmatizer else "noun_rules")
