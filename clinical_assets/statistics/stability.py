"""How far a distribution has moved from the one a model was made with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["DRIFTED", "population_stability_index", "reference_bins"]

Floats = npt.NDArray[np.float64]

DRIFTED = 0.25  # the customary limit of a large shift (Siddiqi 2006); 0.1 is a small one


def reference_bins(reference: npt.ArrayLike, n_bins: int = 10) -> tuple[Floats, Floats]:
    """Return inner edges at quantiles of the reference and the share of it in each bin; values at an edge are below it.

    Parameters
    ----------
    reference
        Shape (n,); nan has a bin of its own, the last.
    n_bins
        Bins at most; fewer where values repeat.

    Returns
    -------
    edges, shares
        Shapes (k - 1,) and (k + 1,): the bins, then the missing.

    Raises
    ------
    ValueError
        If there are no values, or n_bins is below 2.
    """
    values = np.asarray(reference, dtype=np.float64)
    if values.ndim != 1 or not values.size or n_bins < 2:
        raise ValueError("a list of values and at least 2 bins are needed")
    known = values[~np.isnan(values)]
    inner = np.quantile(known, np.arange(1, n_bins) / n_bins) if known.size else np.zeros(0)
    edges = np.unique(inner)
    return edges, _shares(values, edges)


def population_stability_index(edges: npt.ArrayLike, shares: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Return the sum over bins of ``(new - old) * ln(new / old)`` (Siddiqi 2006); nan for no values.

    Empty bins count as half a value, so that the index is finite.

    Parameters
    ----------
    edges, shares
        From `reference_bins`.
    values
        Shape (n,), new ones.
    """
    given = np.asarray(values, dtype=np.float64)
    if not given.size:
        return float("nan")
    old, new = np.asarray(shares, dtype=np.float64), _shares(given, np.asarray(edges, dtype=np.float64))
    least = 0.5 / given.size
    occupied = (old > 0) | (new > 0)
    old, new = np.clip(old[occupied], least, None), np.clip(new[occupied], least, None)
    old, new = old / old.sum(), new / new.sum()
    return float(np.sum((new - old) * np.log(new / old)))


def _shares(values: Floats, edges: Floats) -> Floats:
    missing = np.isnan(values)
    place = np.searchsorted(edges, values[~missing], side="left")
    counts = np.concatenate([np.bincount(place, minlength=edges.size + 1), [missing.sum()]])
    return counts / values.size
