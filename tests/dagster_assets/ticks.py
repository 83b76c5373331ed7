"""A tick of the automation sensors in a test."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import dagster as dg


def evaluate(defs: dg.Definitions, instance: dg.DagsterInstance, cursor: Any) -> Any:
    """Evaluate every automation condition once.

    Batches do not come and go during a tick, but Dagster asks the instance for them thousands of times, three quarters of
    the time of a tick: here once.
    """
    batches = functools.cache(instance.get_dynamic_partitions)
    with mock.patch.object(instance, "get_dynamic_partitions", batches):
        return dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
