"""What can be counted of a pair of a chemical and a disease in one text: how often, how far apart, where, beside which cues.

Features of the kind that systems of the BioCreative V task used (Wei et al. 2016; Xu et al. 2016), without any knowledge base. Nothing is
learnt here, and nothing is known of a chemical's or disease's name but whether it is part of another's and how long it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from clinical_assets.entities.relations.documents import Document, Pair, Placed, gap

__all__ = ["FeatureReader"]

_FAR = 99.0  # where two never stand together
_MOST_MENTIONS = 30  # of one key, looked at
_PLACES = 6  # sentences that name both, looked at for cues
_BETWEEN, _BESIDE = 15, 4  # words looked at between two mentions, and on either side

_CAUSE = frozenset(
    """induced induce induces inducing cause caused causes causing produced produces produce associated due secondary related
    attributed attributable developed develop develops developing following after during complication complications toxicity toxic
    adverse side reaction resulted resulting results led leading leads provoked precipitated evoked elicited exacerbated
    aggravated risk occurred experienced overdose withdrawal ingestion exposure""".split()
)
_TREAT = frozenset(
    """treat treated treating treatment therapy management prevention prevent prevents prevented prophylaxis protect protects
    protected protective reversed reverses reverse attenuated attenuates attenuate ameliorated reduced reduces inhibited
    antagonized blocked relief efficacy effective improve improved improvement suppressed abolished control controlled""".split()
)
_NOT = frozenset("no not without never absence nor neither lack failed".split())
_HAVING = frozenset("patients patient history with undergoing suffering subjects".split())
_SUBJECTS = frozenset("patients patient rats".split())
_TOXIC = frozenset("toxicity overdose intoxication poisoning toxic".split())
_THERAPY = frozenset("therapy treatment administration".split())
_AFTER = frozenset("after following during".split())
_INDUCED = frozenset("induced associated related".split())
_GENERIC = frozenset(
    """toxicity disease diseases disorder disorders syndrome pain death complications abnormalities dysfunction impairment damage
    injury lesions deficits neurotoxicity nephrotoxicity hepatotoxicity cardiotoxicity""".split()
)


class FeatureReader:
    """Counts features of the pairs of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._chemicals = {key: ones[:_MOST_MENTIONS] for key, ones in document.chemicals.items()}
        self._diseases = {key: ones[:_MOST_MENTIONS] for key, ones in document.diseases.items()}
        self._chemical_counts = {key: len(ones) for key, ones in document.chemicals.items()}
        self._disease_counts = {key: len(ones) for key, ones in document.diseases.items()}
        self._chemical_order = {key: place for place, key in enumerate(document.chemicals)}
        self._disease_order = {key: place for place, key in enumerate(document.diseases)}
        self._of_chemical = {key: self._chemical_context(ones) for key, ones in self._chemicals.items()}
        self._of_disease = {key: self._disease_context(key, ones) for key, ones in self._diseases.items()}
        self._in_title = {
            "chemicals_in_title": self._n_in_title(document.chemicals),
            "diseases_in_title": self._n_in_title(document.diseases),
        }
        self._in_sentence = Counter((one.sentence, one.mention.entity_type) for one in document.mentions)

    def features(self, pair: Pair) -> dict[str, float]:
        """Return name -> value; the same names in the same order for every pair of every document."""
        chemical, disease = pair
        near = self._nearest(pair)
        return {
            "n_chemicals": len(self._chemical_counts),
            "n_diseases": len(self._disease_counts),
            "n_sentences": len(self._document.sentences),
            **self._in_title,
            **_frequency("chemical", chemical, self._chemical_counts, self._chemical_order),
            **_frequency("disease", disease, self._disease_counts, self._disease_order),
            **self._places(pair),
            **self._distances(pair, near),
            **self._cues(near),
            **self._of_chemical[chemical],
            **self._of_disease[disease],
        }

    def _nearest(self, pair: Pair) -> list[tuple[int, Placed, Placed]]:
        """Return (tokens between, chemical, disease), nearest first; those in one sentence before all others."""
        found = [(gap(a, b), a, b) for a in self._chemicals[pair[0]] for b in self._diseases[pair[1]]]
        return sorted(found, key=lambda one: (one[1].sentence != one[2].sentence, one[0]))

    def _n_in_title(self, named: Mapping[str, Sequence[Placed]]) -> int:
        return sum(any(one.sentence == 0 for one in ones) for ones in named.values())

    def _places(self, pair: Pair) -> dict[str, float]:
        n = len(self._document.sentences)
        chemical = {one.sentence for one in self._chemicals[pair[0]]}
        disease = {one.sentence for one in self._diseases[pair[1]]}
        both = chemical & disease
        distance, direction = min((abs(a - b), b - a) for a in chemical for b in disease)
        return {
            "chemical_in_title": 0 in chemical,
            "disease_in_title": 0 in disease,
            "both_in_title": 0 in both,
            "chemical_first": min(chemical) / n,
            "disease_first": min(disease) / n,
            "chemical_from_end": n - 1 - max(chemical),
            "disease_from_end": n - 1 - max(disease),
            "chemical_n_sentences": len(chemical),
            "disease_n_sentences": len(disease),
            "n_shared": len(both),
            "shared_of_chemical": len(both) / len(chemical),
            "shared_of_disease": len(both) / len(disease),
            "shared_from_end": n - 1 - max(both) if both else _FAR,
            "sentence_distance": distance,
            "disease_after": direction,
        }

    def _distances(self, pair: Pair, near: Sequence[tuple[int, Placed, Placed]]) -> dict[str, float]:
        between, a, b = near[0]
        together = a.sentence == b.sentence
        low, high = min(a.last, b.last), max(a.first, b.first)
        others = [one.mention.entity_type for one in self._document.mentions if low <= one.first < high]
        chemicals = [ones for key, ones in self._chemicals.items() if key != pair[0]]
        diseases = [ones for key, ones in self._diseases.items() if key != pair[1]]
        return {
            "token_gap": between if together else _FAR,
            "token_gap_any": min(one[0] for one in near),
            "chemical_before": float(a.first < b.first) if together else 0.5,
            "mentions_between": len(others),
            "chemicals_between": others.count("chemical"),
            "chemicals_in_sentence": self._in_sentence[a.sentence, "chemical"],
            "diseases_in_sentence": self._in_sentence[b.sentence, "disease"],
            "chemicals_nearer": sum(_any_nearer(ones, b, between) for ones in chemicals),
            "diseases_nearer": sum(_any_nearer(ones, a, between) for ones in diseases),
        }

    def _cues(self, near: Sequence[tuple[int, Placed, Placed]]) -> dict[str, float]:
        cause = treat = deny = cause_beside = treat_beside = induced = 0
        for between, a, b in near[:_PLACES]:
            if a.sentence != b.sentence:
                break
            inner, beside = self._words_of(a, b)
            cause += not _CAUSE.isdisjoint(inner)
            treat += not _TREAT.isdisjoint(inner)
            deny += not _NOT.isdisjoint(inner)
            cause_beside += not _CAUSE.isdisjoint(beside)
            treat_beside += not _TREAT.isdisjoint(beside)
            induced += a.first < b.first and between < 8 and not _INDUCED.isdisjoint(inner[:3])
        return {
            "n_cause": cause,
            "n_treat": treat,
            "n_not": deny,
            "n_cause_beside": cause_beside,
            "n_treat_beside": treat_beside,
            "n_induced": induced,
        }

    def _words_of(self, a: Placed, b: Placed) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the words between two mentions of one sentence, and those beside them."""
        one, two = (a, b) if a.first <= b.first else (b, a)
        tokens, first_tokens = self._document.tokens, self._document.first_tokens
        low, high = first_tokens[one.sentence], first_tokens[two.sentence + 1]
        before = tokens[max(low, one.first - _BESIDE) : one.first]
        return tokens[one.last : two.first][:_BETWEEN], before + tokens[two.last : min(high, two.last + _BESIDE)]

    def _chemical_context(self, ones: Sequence[Placed]) -> dict[str, float]:
        after = [self._after(one, 3) for one in ones]
        before = [self._before(one, 4) for one in ones]
        title = [words for one, words in zip(ones, after, strict=True) if one.sentence == 0]
        return {
            "title_says_induced": any("induced" in words for words in title),
            "chemical_induced": sum(words[:2] == ("-", "induced") for words in after),
            "chemical_toxic": sum(not _TOXIC.isdisjoint(words[:2]) for words in after),
            "chemical_as_therapy": sum(not _THERAPY.isdisjoint(words) for words in after) / len(ones),
            "after_chemical": sum(not _AFTER.isdisjoint(words) for words in before) / len(ones),
            "chemical_treats": sum(not _TREAT.isdisjoint(words) for words in before) / len(ones),
        }

    def _disease_context(self, key: str, ones: Sequence[Placed]) -> dict[str, float]:
        before = [self._before(one, 4) for one in ones]
        names = {one.words for one in ones}
        others = {one.words for other, some in self._diseases.items() if other != key for one in some}
        return {
            "patient_has": sum(not _HAVING.isdisjoint(words[-3:]) for words in before) / len(ones),
            "disease_of_subjects": sum(not _SUBJECTS.isdisjoint(self._after(one, 2)) for one in ones) / len(ones),
            "disease_treated": sum(not _TREAT.isdisjoint(words) for words in before) / len(ones),
            "disease_caused": sum(not _CAUSE.isdisjoint(words) for words in before) / len(ones),
            "induced_disease": sum("induced" in words[-3:] for words in before),
            "disease_denied": sum(not _NOT.isdisjoint(words) for words in before) / len(ones),
            "disease_is_part_of_other": any(_is_part(name, other) for name in names for other in others),
            "disease_holds_other": any(_is_part(other, name) for name in names for other in others),
            "disease_is_generic": any(len(name) == 1 and name[0] in _GENERIC for name in names),
            "disease_n_words": max(len(name) for name in names),
            "disease_is_composite": any(len(one.mention.keys) > 1 for one in ones),
        }

    def _before(self, one: Placed, n: int) -> tuple[str, ...]:
        return self._document.tokens[max(one.first - n, 0) : one.first]

    def _after(self, one: Placed, n: int) -> tuple[str, ...]:
        return self._document.tokens[one.last : one.last + n]


def _frequency(name: str, key: str, counts: Mapping[str, int], order: Mapping[str, int]) -> dict[str, float]:
    mine = counts[key]
    return {
        f"n_{name}": mine,
        f"share_{name}": mine / sum(counts.values()),
        f"rank_{name}": sum(n > mine for n in counts.values()),
        f"order_{name}": order[key],
    }


def _any_nearer(ones: Sequence[Placed], to: Placed, than: int) -> bool:
    return any(one.sentence == to.sentence and gap(one, to) < than for one in ones)


def _is_part(name: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether a name begins or ends another, longer one: "toxicity" ends "renal toxicity"."""
    return 0 < len(name) < len(other) and (other[-len(name) :] == name or other[: len(name)] == name)
