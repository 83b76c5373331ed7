"""The bridge from Great Expectations suites to Dagster asset checks: one check per expectation.

dagster-ge needs Great Expectations < 1, hence our own. ``critical`` becomes severity ERROR and blocks what is downstream
in the same partition; ``warning`` becomes WARN and blocks nothing. Check metadata hold counts only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from clinical_assets.quality.expectations import Expectation, Outcome, validate
from clinical_assets.storage.lake import Lake
from resources.lake import LakeResource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_expectation_checks"]


def build_expectation_checks(
    asset: Sequence[str],
    suite: Sequence[Expectation],
    read: "Callable[[Lake, str], pd.DataFrame]",
    *,
    partitions_def: dg.PartitionsDefinition | None,
    name: str,
) -> dg.AssetChecksDefinition:
    """Return the checks of one asset.

    Parameters
    ----------
    asset
        Key of the asset.
    suite
        The expectations; each becomes a check of its name.
    read
        Takes the lake and the partition key, returns the frame to validate, without text of notes.
    partitions_def
        Partitions of the asset: every partition has its own evaluations.
    name
        Name of the step that evaluates the suite.
    """
    key = dg.AssetKey(list(asset))
    specs = [
        dg.AssetCheckSpec(
            item.name,
            asset=key,
            blocking=item.severity == "critical",
            partitions_def=partitions_def,
            description=f"{item.kind}({', '.join(f'{k}={v!r}' for k, v in item.arguments.items())}). {item.mend}".strip(),
        )
        for item in suite
    ]

    @dg.multi_asset_check(specs=specs, name=name)
    def expectations(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> Iterator[dg.AssetCheckResult]:
        frame = read(lake.open(), context.partition_key if partitions_def else "")
        for item, outcome in zip(suite, validate(frame, suite), strict=True):
            yield _result(key, item, outcome)

    return expectations


def _result(key: dg.AssetKey, item: Expectation, outcome: Outcome) -> dg.AssetCheckResult:
    counts = {
        "n_rows": outcome.n_rows,
        "n_unexpected": outcome.n_unexpected,
        "observed": outcome.observed,
        "error": outcome.error,
    }
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=item.name,
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.ERROR if item.severity == "critical" else dg.AssetCheckSeverity.WARN,
        metadata={name: value for name, value in counts.items() if value is not None},
        description=None if outcome.passed else item.mend or None,
    )
