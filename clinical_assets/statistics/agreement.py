"""How far raters agree on true/false items beyond chance, and tests of where they do not.

Items that a rater left out are left out, pair by pair: nobody is right or wrong here. What is undefined is nan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, replicate_sums
from clinical_assets.statistics.classification import Counts, Quantity, as_flags, metrics

__all__ = [
    "MEASURES",
    "PairAgreement",
    "agreement_of_cells",
    "bootstrap_agreement",
    "fleiss_kappa",
    "holm",
    "mcnemar_exact",
    "pair_agreement",
    "pair_cells",
]

Floats = npt.NDArray[np.float64]

MEASURES = ("observed", "cohen_kappa", "pabak", "gwet_ac1")


@dataclass(frozen=True)
class PairAgreement:
    """Agreement of two raters on the items that both rated.

    Attributes
    ----------
    n
        Items that both rated.
    observed
        Share on which they agree.
    cohen_kappa
        Cohen (1960): chance from each rater's own share of true; nan where both always give one and the same value.
    pabak
        Prevalence- and bias-adjusted kappa, ``2 observed - 1`` (Byrt, Bishop & Carlin 1993).
    gwet_ac1
        Gwet (2008): chance is ``2 q (1 - q)`` with q the mean of the two shares of true. Steady where true is rare.
    b_only, a_only
        Items that only b, and only a, calls true: what `mcnemar_exact` compares.
    """

    n: Quantity
    observed: Quantity
    cohen_kappa: Quantity
    pabak: Quantity
    gwet_ac1: Quantity
    b_only: Quantity
    a_only: Quantity


def pair_agreement(a: npt.ArrayLike, b: npt.ArrayLike) -> PairAgreement:
    """Return the agreement of two raters.

    Parameters
    ----------
    a, b
        Shape (n,), true, false or missing (see `classification.as_flags`).

    Raises
    ------
    ValueError
        If lengths differ, or a value is neither true, false nor missing.
    """
    return agreement_of_cells(pair_cells(a, b).sum(axis=0))


def bootstrap_agreement(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    persons: npt.ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return limits of observed, cohen_kappa, pabak and gwet_ac1, by name, from drawing persons.

    Parameters
    ----------
    a, b, persons
        Shape (n,); persons of items that a rater left out are drawn too.
    n_replicates, seed, level
        As for `bootstrap.bootstrap_metrics`.

    Raises
    ------
    ValueError
        As `pair_agreement`, `bootstrap.person_weights` and `bootstrap.interval`.
    """
    found = agreement_of_cells(replicate_sums(persons, pair_cells(a, b), n_replicates=n_replicates, seed=seed))
    return {name: interval(getattr(found, name), level) for name in MEASURES}


def pair_cells(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return which cell of the two raters' table each item is in, so that any sum over items is a product with it.

    Parameters
    ----------
    a, b
        Shape (n,), true, false or missing.

    Returns
    -------
    array
        Shape (n, 4), 0 or 1: both true, only b, only a, both false; all 0 where one is missing.

    Raises
    ------
    ValueError
        As `pair_agreement`.
    """
    first, second = as_flags(a, name="a"), as_flags(b, name="b")
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"a and b must be two lists of one length; got shapes {first.shape} and {second.shape}")
    # comparisons with nan are false, so a missing rating is in no cell
    columns = [(first == x) & (second == y) for x, y in ((1, 1), (0, 1), (1, 0), (0, 0))]
    return np.stack(columns, axis=1).astype(np.float64)


def agreement_of_cells(sums: Floats) -> PairAgreement:
    """Return the measures of one table, or of many at once.

    Parameters
    ----------
    sums
        Shape (..., 4): `pair_cells` added up.
    """
    both, b_only, a_only, neither = np.moveaxis(sums, -1, 0)
    table = metrics(Counts(both, b_only, a_only, neither, 0))  # a in the place of gold
    n, observed, kappa = (np.asarray(one, dtype=np.float64) for one in (table.n, table.accuracy, table.kappa))
    with np.errstate(invalid="ignore"):  # 0 / 0 where they share no item: nan, as observed is
        share = (both + (a_only + b_only) / 2) / n
    chance = 2 * share * (1 - share)  # at most 1/2, so what follows never divides by 0
    ac1 = (observed - chance) / (1 - chance)
    found: tuple[Floats, ...] = (n, observed, kappa, 2 * observed - 1, ac1, b_only, a_only)
    if sums.ndim > 1:
        return PairAgreement(*found)
    numbers = PairAgreement(*map(float, found))
    return replace(numbers, n=int(n), b_only=int(b_only), a_only=int(a_only))


def fleiss_kappa(ratings: npt.ArrayLike) -> float:
    """Return agreement beyond chance of several raters (Fleiss 1971).

    Parameters
    ----------
    ratings
        Shape (n_items, n_raters), true, false or missing. Only items that all raters rated count.

    Returns
    -------
    float
        Nan where no item is left, or all ratings are one and the same.

    Raises
    ------
    ValueError
        If there are fewer than 2 raters, or a value is neither true, false nor missing.
    """
    flags = as_flags(ratings, name="ratings")
    if flags.ndim != 2 or flags.shape[1] < 2:
        raise ValueError(f"ratings must be items x at least 2 raters; got shape {flags.shape}")
    complete = flags[~np.isnan(flags).any(axis=1)]
    n_raters, n_true = flags.shape[1], complete.sum(axis=1)
    if not 0 < n_true.sum() < complete.size:
        return float("nan")
    n_false = n_raters - n_true
    pairs = n_true * (n_true - 1) + n_false * (n_false - 1)
    observed = float(np.mean(pairs)) / (n_raters * (n_raters - 1))
    share = float(n_true.sum()) / complete.size
    chance = share**2 + (1 - share) ** 2
    return (observed - chance) / (1 - chance)


def mcnemar_exact(b: int, c: int) -> float:
    """Return the two-sided exact p of the discordant counts being equally likely (McNemar 1947); 1 if both are 0.

    Raises
    ------
    ValueError
        If a count is negative or not whole.
    """
    from scipy.special import bdtr

    if b != int(b) or c != int(c) or min(b, c) < 0:
        raise ValueError(f"discordant counts must be whole and not negative; got {b} and {c}")
    # both tails of Binomial(b + c, 1/2) weigh the same
    return min(1.0, 2 * float(bdtr(min(b, c), int(b + c), 0.5))) if b + c else 1.0


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Return p-values adjusted for their number by stepping down (Holm 1979), in the order given.

    Parameters
    ----------
    p_values
        Shape (m,), between 0 and 1.

    Raises
    ------
    ValueError
        If they are not one list, or one is missing or outside 0 to 1; leave out tests that were not done.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values must be one list of numbers between 0 and 1; got {p.tolist()}")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
