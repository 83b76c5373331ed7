"""What is true, and how good each rater is, when several rate the same items and nobody knows the truth.

The model of Dawid & Skene (1979) for two classes: given the truth of an item, raters err independently, each with a
sensitivity and a specificity of his own. Fitted by EM (Dempster, Laird & Rubin 1977). Raters who share their errors, e.g.
models of one family, break the assumption and come out too good.

Light priors keep rare classes from degenerating and true from trading places with false. Sensitivity and specificity have a
Beta(3, 2) prior each: as if a rater had been right on 2 items of either class and wrong on 1. Prevalence has Beta(1.5, 1.5):
as if half an item of either class had been seen. EM then finds the mode of the posterior density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.classification import as_flags

__all__ = ["DawidSkene", "dawid_skene"]

Floats = npt.NDArray[np.float64]

_RIGHT, _WRONG = 2.0, 1.0  # what the prior adds to each rater, per class
_CLASS = 0.5  # and to each class
_LEAST_RATERS = 3  # two raters' table has 3 free cells for 5 parameters; three raters' has 7 for 7


@dataclass(frozen=True)
class DawidSkene:
    """A fitted model.

    Attributes
    ----------
    prevalence
        Share of true items.
    sensitivity, specificity
        Shape (n_raters,), the probability that a rater is right on a true and on a false item; nan for one without ratings.
    posterior
        Shape (n_items,), the probability that an item is true; the prevalence for one without ratings.
    n_iterations
        How many rounds of EM were made.
    converged
        Whether the last one changed no parameter by more than the tolerance.
    """

    prevalence: float
    sensitivity: Floats
    specificity: Floats
    posterior: Floats
    n_iterations: int
    converged: bool


def dawid_skene(ratings: npt.ArrayLike, *, max_iterations: int = 200, tolerance: float = 1e-6) -> DawidSkene:
    """Fit truth and raters together, from the majority of each item on.

    Where a class is rarer than the raters' errors, the items tell little of it: prevalence may then be off by 0.1 and more.

    Parameters
    ----------
    ratings
        Shape (n_items, n_raters), true, false or missing (see `classification.as_flags`). Missing ratings tell nothing.
    max_iterations
        Rounds of EM at most.
    tolerance
        Stop once no parameter changes by more.

    Raises
    ------
    ValueError
        If ratings are not items x raters or hold something else, fewer than 3 raters have ratings (with fewer the model has
        no single answer), max_iterations is below 1, or the tolerance is not above 0.
    """
    flags = as_flags(ratings, name="ratings")
    if flags.ndim != 2:
        raise ValueError(f"ratings must be items x raters; got shape {flags.shape}")
    if max_iterations < 1 or not tolerance > 0:
        raise ValueError(
            f"expected max_iterations of at least 1 and a tolerance above 0; got {max_iterations} and {tolerance}"
        )
    rated = ~np.isnan(flags)
    n_raters = int(rated.any(axis=0).sum())
    if n_raters < _LEAST_RATERS:
        raise ValueError(f"at least {_LEAST_RATERS} raters with ratings are needed; found {n_raters}")
    # Items without ratings follow the prevalence whatever it is: with them EM would only be slower.
    some = rated.any(axis=1)
    said_true = (flags[some] == 1).astype(np.float64)
    said_false = (flags[some] == 0).astype(np.float64)

    belief = said_true.sum(axis=1) / (said_true + said_false).sum(axis=1)
    parameters = _maximise(said_true, said_false, belief)
    converged, n_iterations = False, 0
    while n_iterations < max_iterations and not converged:
        n_iterations += 1
        before = parameters
        belief = _expect(said_true, said_false, before)
        parameters = _maximise(said_true, said_false, belief)
        converged = bool(np.max(np.abs(parameters - before)) <= tolerance)

    prevalence, (sensitivity, specificity) = float(parameters[0]), np.split(parameters[1:], 2)
    posterior = np.full(some.size, prevalence)
    posterior[some] = _expect(said_true, said_false, parameters)
    silent = ~rated.any(axis=0)
    return DawidSkene(
        prevalence=prevalence,
        sensitivity=np.where(silent, np.nan, sensitivity),
        specificity=np.where(silent, np.nan, specificity),
        posterior=posterior,
        n_iterations=n_iterations,
        converged=converged,
    )


def _expect(said_true: Floats, said_false: Floats, parameters: Floats) -> Floats:
    """The probability that each item is true; in logits, as products over many raters vanish."""
    from scipy.special import expit

    prevalence, (sensitivity, specificity) = parameters[0], np.split(parameters[1:], 2)
    for_true = np.log(sensitivity) - np.log1p(-specificity)
    for_false = np.log1p(-sensitivity) - np.log(specificity)
    prior = np.log(prevalence) - np.log1p(-prevalence)
    return np.asarray(expit(prior + said_true @ for_true + said_false @ for_false))


def _maximise(said_true: Floats, said_false: Floats, belief: Floats) -> Floats:
    """Prevalence, sensitivities and specificities at which the posterior density is greatest; never 0 or 1."""
    doubt = 1 - belief
    prevalence = (belief.sum() + _CLASS) / (belief.size + 2 * _CLASS)
    sensitivity = (belief @ said_true + _RIGHT) / (belief @ (said_true + said_false) + _RIGHT + _WRONG)
    specificity = (doubt @ said_false + _RIGHT) / (doubt @ (said_true + said_false) + _RIGHT + _WRONG)
    return np.concatenate([[prevalence], sensitivity, specificity])
