"""Disproportionality of pairs in reports: how much more often a drug and an event are reported together than expected.

Numbers of association in what was reported or recorded. None of them says that a drug causes an event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Disproportionality", "disproportionality"]

Floats = npt.NDArray[np.float64]

_SHRINKAGE = 0.5  # of the information component, in observed and in expected


@dataclass(frozen=True)
class Disproportionality:
    """Measures of n two-by-two tables; every attribute has shape (n,), nan where a measure is undefined.

    Attributes
    ----------
    expected
        Reports of both, were drug and event independent: ``(a + b)(a + c) / N``.
    prr, prr_low, prr_high
        Proportional reporting ratio ``[a / (a + b)] / [c / (c + d)]`` with limits from the normal approximation of its logarithm,
        standard error ``sqrt(1/a - 1/(a+b) + 1/c - 1/(c+d))`` (Evans, Waller & Davis 2001, Pharmacoepidemiol Drug Saf 10:483).
    ror, ror_low, ror_high
        Reporting odds ratio ``ad / bc``, standard error of its logarithm ``sqrt(1/a + 1/b + 1/c + 1/d)`` (Woolf 1955; van
        Puijenbroek et al. 2002, Pharmacoepidemiol Drug Saf 11:3).
    ic, ic_low, ic_high
        Information component ``log2((O + 1/2) / (E + 1/2))``; limits are the quantiles of ``Gamma(O + 1/2, rate E + 1/2)``, in log2
        (Bate et al. 1998, Eur J Clin Pharmacol 54:315; Noren, Hopstadius & Bate 2013, Stat Methods Med Res 22:57). ``ic_low`` of
        95 % limits is the IC025. Defined wherever the table holds a report.
    chi_square
        With Yates' correction, one degree of freedom, as in the criterion of Evans et al. 2001.
    p_value
        Of `chi_square`, two-sided.
    """

    expected: Floats
    prr: Floats
    prr_low: Floats
    prr_high: Floats
    ror: Floats
    ror_low: Floats
    ror_high: Floats
    ic: Floats
    ic_low: Floats
    ic_high: Floats
    chi_square: Floats
    p_value: Floats


def disproportionality(
    a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, d: npt.ArrayLike, *, level: float = 0.95
) -> Disproportionality:
    """Measure n pairs at once.

    Parameters
    ----------
    a, b, c, d
        Reports with drug and event, with the drug only, with the event only, with neither; each of shape (n,).
    level
        Of the two-sided limits, between 0 and 1.

    Raises
    ------
    ValueError
        If a count is negative or not whole, shapes differ, or the level is not between 0 and 1.
    """
    from scipy.stats import chi2, gamma, norm

    cells = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in (a, b, c, d)))
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share between 0 and 1, e.g. 0.95")
    for name, cell in zip("abcd", cells, strict=True):
        if cell.ndim != 1 or (cell < 0).any() or (cell != np.floor(cell)).any():
            raise ValueError(f"{name}: expected whole counts of at least 0, one a pair")
    a_, b_, c_, d_ = cells
    n = a_ + b_ + c_ + d_
    z = float(norm.ppf(0.5 + level / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        drug, event = a_ + b_, a_ + c_
        expected = np.where(n > 0, drug * event / n, np.nan)
        prr = _defined((a_ / drug) / (c_ / (c_ + d_)))
        prr_width = z * np.sqrt(1 / a_ - 1 / drug + 1 / c_ - 1 / (c_ + d_))
        ror = _defined(a_ * d_ / (b_ * c_))
        ror_width = z * np.sqrt(1 / a_ + 1 / b_ + 1 / c_ + 1 / d_)
        prr_low, prr_high = _limits(prr, prr_width)
        ror_low, ror_high = _limits(ror, ror_width)
        off = np.maximum(np.abs(a_ * d_ - b_ * c_) - n / 2, 0.0)
        chi_square = _defined(n * off**2 / (drug * (c_ + d_) * event * (b_ + d_)))
        observed = a_ + _SHRINKAGE
        scale = 1 / (expected + _SHRINKAGE)
        ic_low, ic_high = (np.log2(gamma.ppf(q, observed, scale=scale)) for q in (0.5 - level / 2, 0.5 + level / 2))
        ic = np.log2(observed * scale)
    return Disproportionality(
        expected=expected,
        prr=prr,
        prr_low=prr_low,
        prr_high=prr_high,
        ror=ror,
        ror_low=ror_low,
        ror_high=ror_high,
        ic=ic,
        ic_low=ic_low,
        ic_high=ic_high,
        chi_square=chi_square,
        p_value=np.where(np.isnan(chi_square), np.nan, chi2.sf(chi_square, 1)),
    )


def _defined(values: Floats) -> Floats:
    """Replace what a division by zero made by nan: an infinite ratio is no estimate."""
    return np.where(np.isfinite(values), values, np.nan)


def _limits(ratio: Floats, width: Floats) -> tuple[Floats, Floats]:
    known = np.isfinite(width) & (ratio > 0)
    low, high = ratio * np.exp(-width), ratio * np.exp(width)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
