"""Asset checks of the evaluation: the four targets, judged for each summarizer that shortens another's summaries."""

from collections.abc import Iterator

import dagster as dg

from clinical_assets.summaries.evaluation.targets import TARGETS, Reached, Target, reached
from resources.warehouse import WarehouseResource

__all__ = ["build_target_checks"]

_METRICS = dg.AssetKey(["summaries", "metrics"])


def build_target_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the targets; they warn, and name every summarizer's value."""

    @dg.multi_asset_check(
        name="summaries_reach_the_targets",
        specs=[
            dg.AssetCheckSpec(
                target.check,
                asset=_METRICS,
                description=f"{target.mean} mean of {target.metric} {'at least' if target.at_least else 'at most'} {target.bound:g}.",
            )
            for target in TARGETS
        ],
    )
    def summaries_reach_the_targets(warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
        with warehouse.reader().get_connection() as connection:
            found = reached(connection)
        for target in TARGETS:
            yield _result(target, [one for one in found if one.target == target])

    return [summaries_reach_the_targets]


def _result(target: Target, found: list[Reached]) -> dg.AssetCheckResult:
    missed = [one.summarizer for one in found if not one.is_met]
    values = {
        one.summarizer: {"macro": one.macro, "micro": one.micro, "low": one.low, "high": one.high, "n": one.n}
        for one in found
    }
    return dg.AssetCheckResult(
        asset_key=_METRICS,
        check_name=target.check,
        passed=not missed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "target": target.bound,
            "judged": target.mean,
            "n_summarizers": len(found),
            "n_missed": len(missed),
            "values": dg.MetadataValue.json(values),
        },
        description=f"Missed by {', '.join(missed)}; summaries.samples shows where (rank_from_worst)."
        if missed
        else None,
    )
