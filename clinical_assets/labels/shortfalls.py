"""Where labellers, or the gold they are measured by, fall short: read from the published evaluation."""

from __future__ import annotations

import duckdb

__all__ = ["FEWEST_POSITIVES", "below_majority", "few_positives"]

FEWEST_POSITIVES = 10


def below_majority(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return "labeller field" of each that is right less often than always giving the commoner answer, on notes in scope.

    Fields without a gold positive, or without a negative, are left out: there the majority is always right.
    """
    found = connection.execute(
        """
        select labeller || ' ' || field from labels.evaluation
        where note_set = 'scope' and rule = 'default' and labeller <> 'baseline_majority'
            and n_positive between 1 and n - 1 and accuracy < majority_baseline
        order by 1
        """
    ).fetchall()
    return [row[0] for row in found]


def few_positives(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return "field (n)" of each field with fewer gold positives in scope than any number should rest on."""
    found = connection.execute(
        """
        select field || ' (' || max(n_positive) || ')' from labels.evaluation
        where note_set = 'scope' and rule = 'default'
        group by field having max(n_positive) < ?
        order by 1
        """,
        [FEWEST_POSITIVES],
    ).fetchall()
    return [row[0] for row in found]
