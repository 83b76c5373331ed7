"""Expectations as data, and their validation by Great Expectations.

A suite is a tuple of :class:`Expectation`, so that definitions can name their checks without importing Great Expectations
(3-7 s). Results are counts: no value of a column ever leaves this module.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Expectation", "Outcome", "validate"]


@dataclass(frozen=True)
class Expectation:
    """One expectation and the check it becomes.

    Parameters
    ----------
    name
        The check's name: a sentence in snake case.
    kind
        Class name in ``great_expectations.expectations``.
    arguments
        Its arguments.
    severity
        ``critical`` blocks what is downstream; ``warning`` does not.
    mend
        What a person should do when it fails.
    """

    name: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: Literal["critical", "warning"] = "critical"
    mend: str = ""


@dataclass(frozen=True)
class Outcome:
    """Result of one expectation, in counts."""

    name: str
    passed: bool
    n_rows: int
    n_unexpected: int | None
    observed: float | None
    error: str | None


def validate(frame: pd.DataFrame, suite: Sequence[Expectation]) -> list[Outcome]:
    """Validate `frame` (any grain, no text of notes) and return one outcome per expectation, in order.

    An expectation that cannot be evaluated (a missing column, say) has failed, with the kind of error in `error`.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("frame")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("frame")
        .get_batch(batch_parameters={"dataframe": frame})
    )
    wanted = gx.ExpectationSuite(
        name="suite",
        expectations=[
            getattr(gxe, item.kind)(**item.arguments, severity=item.severity, meta={"name": item.name})
            for item in suite
        ],
    )
    # No partial lists: by default a result quotes the offending values.
    result = batch.validate(wanted, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    by_name = {entry.expectation_config.meta["name"]: entry for entry in result.results}
    return [_outcome(item.name, by_name[item.name], len(frame)) for item in suite]


def _outcome(name: str, entry: Any, n_rows: int) -> Outcome:
    error = None
    if entry.exception_info and not entry.success:
        # The message may quote values; its kind may not.
        text = str(entry.exception_info.get("exception_message") or next(iter(entry.exception_info.values()), ""))
        error = (
            (re.findall(r"\b[A-Za-z_.]*(?:Error|Exception)\b", text) or ["evaluation failed"])[0]
            if text and text != "False"
            else None
        )
    observed, unexpected = entry.result.get("observed_value"), entry.result.get("unexpected_count")
    return Outcome(
        name=name,
        passed=bool(entry.success),
        n_rows=n_rows,
        n_unexpected=None if unexpected is None else int(unexpected),
        observed=float(observed) if isinstance(observed, int | float) else None,
        error=error,
    )
