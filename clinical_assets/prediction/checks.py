"""Asset checks of the prediction question: nobody is on two sides, every model answered, something beats the commoner answer."""

from collections import defaultdict
from collections.abc import Iterator

import dagster as dg

from clinical_assets.prediction.classical import CONSTANTS
from resources.lake import LakeResource

__all__ = ["build_prediction_checks"]

_LEAST_PARSED = 0.95


def build_prediction_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of rows and comparison."""
    return [no_group_is_on_two_sides, comparison_is_honest]


@dg.asset_check(asset=["prediction", "rows"], blocking=True)
def no_group_is_on_two_sides(lake: LakeResource) -> dg.AssetCheckResult:
    """Rows of one person, and rows that are equal in every feature, are in one split, and in one fold of each repeat."""
    rows = lake.open().read("prediction/rows", columns=["group", "split", "folds"]).to_pylist()
    sides = defaultdict(set)
    for row in rows:
        sides[row["group"]].add((row["split"] == "test", tuple(row["folds"])))
        sides["split", row["group"]].add(row["split"])
    torn = sum(len(places) > 1 for places in sides.values())
    return dg.AssetCheckResult(
        passed=torn == 0,
        metadata={"n_rows": len(rows), "n_groups": len({row["group"] for row in rows}), "n_torn": torn},
        description=None
        if torn == 0
        else "Rows of one patient leak between splits: materialize prediction/rows again.",
    )


@dg.multi_asset_check(
    name="comparison_is_honest",
    specs=[
        dg.AssetCheckSpec(name, asset=["prediction", "comparison"])
        for name in ("some_model_beats_the_commoner_answer", "models_answer_in_a_readable_way")
    ],
)
def comparison_is_honest(lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
    """Some model is more accurate than always giving the commoner answer, with limits; answers can be read."""
    rows = lake.open().read("prediction/results").to_pylist()
    gains = [row for row in rows if row["metric"] == "accuracy_above_constant"]
    better = [row["model"] for row in gains if row["low"] is not None and row["low"] > 0]
    yield dg.AssetCheckResult(
        asset_key=["prediction", "comparison"],
        check_name="some_model_beats_the_commoner_answer",
        passed=bool(better),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"n_models": len(gains), "better": ", ".join(better) or "none"},
        description=None
        if better
        else "No model is worth using for yes or no on these features; read areas with their limits first.",
    )
    parsed = [
        row for row in rows
        if row["metric"] == "parsed_rate" and row["design"] == "test" and row["subgroup"] == "all" and row["model"] not in CONSTANTS
    ]  # fmt: skip
    unread = [row["model"] for row in parsed if row["value"] < _LEAST_PARSED]
    yield dg.AssetCheckResult(
        asset_key=["prediction", "comparison"],
        check_name="models_answer_in_a_readable_way",
        passed=not unread,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"least": _LEAST_PARSED, "below": ", ".join(unread) or "none"},
        description=None
        if not unread
        else "These models say neither yes nor no too often; that is wrong. Use a backend with log-probabilities.",
    )
