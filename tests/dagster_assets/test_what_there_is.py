"""The condition of the scores: what only a GPU or a person makes is not waited for, and joins when it is there."""

from __future__ import annotations

import dagster as dg

from sensors.automation import what_there_is

PARTS = dg.StaticPartitionsDefinition(["b1"])


def test_opt_in_tables_may_be_missing_and_others_may_not(instance) -> None:
    @dg.asset(partitions_def=PARTS)
    def offline() -> None: ...

    @dg.asset(partitions_def=PARTS, kinds={"gpu"})
    def on_gpu() -> None: ...

    @dg.asset(partitions_def=PARTS, tags={"clinical/automation": "manual"})
    def by_hand() -> None: ...

    @dg.asset(partitions_def=PARTS, deps=[offline, on_gpu, by_hand], automation_condition=what_there_is())
    def scores() -> None: ...

    defs = dg.Definitions(assets=[offline, on_gpu, by_hand, scores])
    cursor = None

    def asked() -> set:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        cursor = result.cursor
        return set(result.get_requested_partitions(scores.key))

    def make(asset: dg.AssetsDefinition, version: str) -> None:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset.key, partition="b1", tags={"dagster/data_version": version})
        )

    assert asked() == set()  # the offline table is missing
    make(offline, "1")
    assert asked() == {"b1"}
    make(scores, "1")
    assert asked() == set()
    make(on_gpu, "1")
    assert asked() == {"b1"}
    make(scores, "2")
    assert asked() == set()
    make(by_hand, "1")
    assert asked() == {"b1"}
