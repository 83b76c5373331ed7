"""The daily look at data quality: partitions that failed and were not mended are no longer news, so something must say so."""

from collections.abc import Sequence

import dagster as dg

from resources.partitions import NOTE_BATCHES

__all__ = ["build_failed_partition_checks", "build_quality_schedule", "without_standing_checks"]

CHECK_NAME = "no_partition_left_failed"


def build_failed_partition_checks(assets: Sequence[dg.AssetKey]) -> list[dg.AssetChecksDefinition]:
    """Return one check per partitioned asset: which of its batches ended in failure and stayed so.

    Automation retries a failure once and then is silent; this is the signal that replaces it.
    """
    return [_build(key) for key in assets]


def _build(key: dg.AssetKey) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key, name=CHECK_NAME)
    def no_partition_left_failed(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        """Warn when batches of this asset failed and were not materialized since."""
        statuses = context.instance.get_status_by_partition(
            key, NOTE_BATCHES.get_partition_keys(dynamic_partitions_store=context.instance), NOTE_BATCHES
        )
        failed = sorted(name for name, status in (statuses or {}).items() if status and status.name == "FAILED")
        return dg.AssetCheckResult(
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"n_failed": len(failed), "failed": dg.MetadataValue.json(failed[:100])},
            description=f"Open {key.to_user_string()} in the UI, read the error, mend it and materialize these batches."
            if failed
            else None,
        )

    return no_partition_left_failed


def without_standing_checks(keys: Sequence[dg.AssetKey]) -> dg.AssetSelection:
    """Select assets with the checks of their content, but not the standing ones: those look at all batches, once a day."""
    standing = (dg.AssetCheckKey(key, CHECK_NAME) for key in keys)
    return dg.AssetSelection.assets(*keys) - dg.AssetSelection.checks(*standing)


def build_quality_schedule(
    assets: Sequence[dg.AssetKey], others: Sequence[dg.AssetCheckKey] = ()
) -> dg.ScheduleDefinition:
    """Return the daily schedule (06:00) of the standing checks of `assets`, and of `others` that take long."""
    selection = dg.AssetSelection.checks(*(dg.AssetCheckKey(key, CHECK_NAME) for key in assets), *others)
    job = dg.define_asset_job(
        "check_data_quality", selection=selection, description="Standing checks over all batches."
    )
    return dg.ScheduleDefinition(
        name="check_data_quality_daily",
        job=job,
        cron_schedule="0 6 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
