"""Who lives in the demo hospital: archetypes, their shares, and the demographics of each person.

Archetypes are dealt from one shuffled deck of 300 cards, again and again: person k is the same person in a small and
in a large hospital, and every archetype occurs in any 300 persons.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.dice import Dice

__all__ = ["ARCHETYPES", "CML_ARCHETYPES", "archetype_of", "new_person"]

# Cards per 300 persons; controls take the rest.
_CARDS = {
    "cml_imatinib": 22,
    "cml_switched": 9,
    "cml_advanced_at_diagnosis": 5,
    "cml_progressed": 6,
    "cml_transplant_after": 5,
    "cml_transplant_before": 3,
    "cml_short_lookback": 4,
    "cml_minor": 2,
    "cml_prior_tki": 3,
    "cml_late_start": 3,
    "cml_other_tki_first": 2,
    "cml_text_only": 2,
    "aml": 11,
    "gist_imatinib": 8,
    "ph_all": 6,
    "family_history": 10,
    "cml_ruled_out": 8,
    "cmml": 3,
    "myeloma_transplant": 5,
    "sickle_trait": 4,
    "marrow_donor": 3,
    "ana_positive": 50,
    "delivery": 40,
}
_DECK = 300
CML_ARCHETYPES = tuple(name for name in _CARDS if name.startswith("cml_") and name != "cml_ruled_out")
ARCHETYPES = (*_CARDS, "control")

# Two special streams of the seed, apart from the persons' own (which are keyed by index and purpose).
_DECK_KEY = 4_000_000_001


@lru_cache(maxsize=8)
def _deck(seed: int) -> tuple[str, ...]:
    cards = [name for name, count in _CARDS.items() for _ in range(count)]
    cards += ["control"] * (_DECK - len(cards))
    return tuple(Dice(seed, _DECK_KEY).some(cards, _DECK))


def archetype_of(config: HospitalConfig, index: int) -> str:
    """Return the archetype of the person with that index."""
    return _deck(config.seed)[index % _DECK]


# archetype -> (mean age, sd, low, high) at the reference day, and the probability of being female
_AGES: dict[str, tuple[float, float, float, float, float]] = {
    "cml_minor": (13, 2.5, 7, 17, 0.45),
    "aml": (61, 14, 20, 88, 0.45),
    "gist_imatinib": (62, 11, 28, 86, 0.48),
    "ph_all": (48, 16, 19, 80, 0.45),
    "ana_positive": (43, 14, 14, 88, 0.80),
    "delivery": (29, 5.5, 17, 45, 1.0),
    "myeloma_transplant": (60, 8, 38, 74, 0.45),
    "cmml": (70, 8, 50, 88, 0.40),
    "sickle_trait": (36, 13, 18, 75, 0.55),
    "marrow_donor": (41, 11, 20, 64, 0.50),
    "control": (48, 20, 2, 92, 0.53),
}
_DEFAULT_AGE = (54, 14, 19, 88, 0.44)
_RACES = ("white", "black", "asian", "unknown")
_RACE_WEIGHTS = (0.62, 0.16, 0.14, 0.08)


def new_person(config: HospitalConfig, index: int) -> Chart:
    """Return a person without facts: archetype, demographics, one observation period around a reference day.

    The reference day (first observed day plus look-back) is where the archetype's history takes place.
    """
    dice = Dice(config.seed, index, 0)
    archetype = archetype_of(config, index)
    mean, sd, low, high, female = _AGES.get(archetype, _DEFAULT_AGE)
    last = config.last_day
    earliest = dt.date(2010, 3, 1).toordinal()
    latest = last - (1_300 if archetype.startswith("cml_") else 900)
    if archetype == "ana_positive":
        latest = last - 1_500
    reference = dice.whole(earliest, latest)
    look_back = dice.whole(400, 2_600)
    if archetype == "ana_positive":
        look_back = dice.whole(740, 2_600) if dice.chance(0.9) else dice.whole(200, 729)
    age_days = int(dice.clipped(mean, sd, low, high + 0.99) * 365.25)
    start = max(reference - look_back, reference - age_days)
    end = last if dice.chance(0.78) else dice.whole(reference + 500, last)
    day_known = dice.chance(0.96)
    birth = reference - age_days
    sickle = archetype == "sickle_trait"
    chart = Chart(
        index=index,
        archetype=archetype,
        sex="F" if dice.chance(female) else "M",
        birth=birth,
        birth_day_known=day_known,
        race="black" if sickle else dice.weighted(_RACES, _RACE_WEIGHTS),
        ethnicity=dice.weighted(("not_hispanic", "hispanic", "unknown"), (0.78, 0.14, 0.08)),
        site=dice.weighted((0, 1, 2), (0.45, 0.33, 0.22)),
        observed=[(start, end)],
        dice=dice,
    )
    # Some were seen for a while, moved away and came back: look-back counts from the later period.
    if archetype in ("control", "cml_imatinib") and dice.chance(0.06) and start - 1_500 > birth:
        chart.observed.insert(0, (start - 1_500, start - 900))
    chart.story = reference
    return chart
