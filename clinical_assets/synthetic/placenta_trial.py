"""A small synthetic trial of retained placenta, as a table to predict from: the same law as `obstetrics`, more women.

The hospital has some 60 deliveries, too few to compare models by; the trial has 577, as many as the trial that the comparison comes from.
Not one row is of a person of the hospital, or of anybody.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.obstetrics import PLACENTA
from clinical_assets.synthetic.write import publish

__all__ = ["TRIAL_FILE", "trial_csv", "write_trial"]

TRIAL_FILE = "placenta_trial.csv"
COLUMNS = (
    "participant", "country", "treatment", "age", "parity", "pulse", "bp_systolic", "bp_diastolic", "hemoglobin", "gestation_weeks",
    "birth_weight", "blood_loss", "manual_removal",
)  # fmt: skip
_COUNTRIES = ("Northland", "Midland", "Southland")  # no real country: nothing here is of one
_COUNTRY_ODDS = (0.3, 0.0, -0.4)


def trial_csv(*, n: int = 577, seed: int = 20250630) -> str:
    """Return the trial as CSV: a row a woman, empty where nothing was recorded; same seed and size, same text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for index in range(n):
        writer.writerow(_woman(Dice(seed, index, 77), index))
    return out.getvalue()


def write_trial(landing: Path, *, n: int = 577, seed: int = 20250630) -> Path:
    """Write it to ``landing/prediction/``, whole or not at all; return where."""
    path = landing / "prediction" / TRIAL_FILE
    publish(path, trial_csv(n=n, seed=seed).encode())
    return path


def _woman(dice: Dice, index: int) -> list[str]:
    p = PLACENTA
    z = {name: dice.normal() for name in ("loss", "rate", "sys", "dia", "gest", "weight", "hb")}
    country = dice.weighted((0, 1, 2), (0.4, 0.35, 0.25))
    parity, oxytocin = dice.weighted((0, 1, 2, 3, 4), (0.42, 0.32, 0.15, 0.08, 0.03)), dice.chance(0.5)
    odds = (
        p.intercept
        + _COUNTRY_ODDS[country]
        + p.blood_loss * z["loss"]
        + p.heart_rate * z["rate"]
        + p.systolic * z["sys"]
        + p.gestation * z["gest"]
        + p.parity * (parity - 1)
        + p.oxytocin * (1 if oxytocin else 0)
    )
    removal = dice.chance(1 / (1 + math.exp(-odds)))

    def seen(value: float, digits: int = 0) -> str:
        return "" if dice.chance(p.missing_feature) else f"{value:.{digits}f}"

    return [
        f"P{index + 1:04d}",
        _COUNTRIES[country],
        "Oxytocin" if oxytocin else "Placebo",
        str(dice.whole(17, 44)),
        str(parity),
        seen(86 + 12 * z["rate"]),
        seen(116 + 12 * z["sys"]),
        seen(72 + 8 * (0.6 * z["sys"] + 0.8 * z["dia"])),
        seen(11.6 + 1.1 * z["hb"], 1),
        seen(38.6 + 2.0 * z["gest"], 1),
        seen(3_250 + 420 * (0.6 * z["gest"] + 0.8 * z["weight"])),
        seen(math.exp(5.9 + 0.45 * z["loss"])),
        "" if dice.chance(p.missing_outcome) else ("Yes" if removal else "No"),
    ]
