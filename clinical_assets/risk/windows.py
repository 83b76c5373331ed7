"""Who is a case, a control, or left out and why: the windows of a risk question, for arrays of persons.

The same rules stand in SQL (macro ``risk_roles`` of dbt_cohort), which makes the tables; a test holds the two together. Days count
from the index date; what happened on the index day has day 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.study.risk import RiskWindows

__all__ = ["REMOVALS", "ROLES", "NobodyIndexed", "Roles", "assign_roles", "attrition", "require_somebody"]

ROLES = ("case", "control", "removed")
# In the order in which they are asked; the first that applies is the reason.
REMOVALS = ("look_back", "buffer", "age", "exclusion", "follow_up")

Texts = npt.NDArray[np.str_]


class NobodyIndexed(ValueError):
    """No person has the index event: there is nobody to ask the question about."""


@dataclass(frozen=True)
class Roles:
    """What each person is, and why; both of shape (n,).

    Attributes
    ----------
    role
        case, control or removed.
    reason
        Of the removed the first of `REMOVALS` that applies, with the exclusion's name after a colon; of a case
        ``outcome_in_follow_up``; of a control ``outcome_after_follow_up`` or ``seen_after_follow_up``.
    """

    role: Texts
    reason: Texts


def assign_roles(
    days_first_event: npt.ArrayLike,
    days_last_event: npt.ArrayLike,
    days_till_outcome: npt.ArrayLike,
    age: npt.ArrayLike,
    exclusions: Sequence[str | None],
    windows: RiskWindows,
) -> Roles:
    """Return role and reason of each person, all boundaries as in the published design (LEARN).

    Kept: first record at the latest `look_back_days` before the index; no outcome up to `buffer_days` after it;
    ``age_above < age <= age_up_to``; no exclusion. Of these a case has its first outcome in ``(buffer, follow_up]``, a control an
    outcome, or any record, after `follow_up_days`; who has neither was not followed for long enough.

    Parameters
    ----------
    days_first_event, days_last_event
        Shape (n,), day of the first and last record of any kind.
    days_till_outcome
        Shape (n,), day of the first outcome ever, nan where there is none.
    age
        Shape (n,), full years at index; nan, that is unknown, is removed.
    exclusions
        Per person the name of an exclusion that applies, or None.
    windows
        Of the question.

    Raises
    ------
    ValueError
        If lengths differ.
    """
    first, last, outcome, years = (
        np.asarray(given, dtype=np.float64) for given in (days_first_event, days_last_event, days_till_outcome, age)
    )
    names = np.asarray(["" if name is None else name for name in exclusions], dtype=np.str_)
    shapes = {array.shape for array in (first, last, outcome, years, names)}
    if len(shapes) != 1 or first.ndim != 1:
        raise ValueError(f"one value a person is expected in every list; got shapes {sorted(shapes)}")
    in_time = (outcome > windows.buffer_days) & (outcome <= windows.follow_up_days)
    late = outcome > windows.follow_up_days
    seen = last > windows.follow_up_days
    conditions = [
        ~(first <= -windows.look_back_days),
        outcome <= windows.buffer_days,
        ~((years > windows.age_above) & (years <= windows.age_up_to)),
        names != "",
        in_time,
        late,
        seen,
    ]
    # the last applies where none does
    reasons = [
        "look_back",
        "buffer",
        "age",
        "",
        "outcome_in_follow_up",
        "outcome_after_follow_up",
        "seen_after_follow_up",
    ]
    which = np.select(conditions, range(len(conditions)), default=len(conditions)) if first.size else np.zeros(0, int)
    reason = np.asarray([*reasons, "follow_up"], dtype=object)[which].astype(np.str_)
    excluded = which == 3
    reason = np.where(excluded, np.char.add("exclusion:", names), reason)
    role = np.asarray([*["removed"] * 4, "case", "control", "control", "removed"])[which]
    return Roles(role, reason)


def attrition(roles: Roles) -> list[dict[str, int | str]]:
    """Return one row per step in order: step, n_before, n_dropped, n_after.

    The first row, ``index``, has everybody. After the last step only cases and controls are left.
    """
    steps = np.asarray([text.split(":")[0] for text in roles.reason.tolist()], dtype=np.str_)
    left = int(roles.role.size)
    rows: list[dict[str, int | str]] = [{"step": "index", "n_before": left, "n_dropped": 0, "n_after": left}]
    for step in REMOVALS:
        dropped = int(np.sum((steps == step) & (roles.role == "removed")))
        rows.append({"step": step, "n_before": left, "n_dropped": dropped, "n_after": left - dropped})
        left -= dropped
    return rows


def require_somebody(n_persons: int, question: str, concepts: Sequence[int]) -> None:
    """Refuse a question whose index event nobody has.

    Raises
    ------
    NobodyIndexed
        Saying which concepts were looked for, and where to mend it.
    """
    if n_persons == 0:
        shown = ", ".join(map(str, concepts[:10])) + (", ..." if len(concepts) > 10 else "")
        raise NobodyIndexed(
            f"risk question {question!r}: no record of any person has an index concept ({shown}, or a descendant). Check risk.index "
            "of the study (concept ids are OMOP standard ones; values restricts value_as_concept_id), and that the tables landed."
        )
