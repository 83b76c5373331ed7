"""Declarative automation: when assets refresh by themselves, and the two sensors that ask."""

import dagster as dg

from resources.partitions import NOTE_BATCHES

__all__ = [
    "build_automation_sensors",
    "refresh_aggregate",
    "refresh_on_change",
    "when_asked",
    "when_fed",
    "with_automation",
]

# Set on an asset to choose otherwise than by its partitions: "manual" has no condition, "follow_code" also reruns
# when its code version changes (cheap assets only: a prompt edit must not requeue every batch of a language model),
# "keep_history" does not rerun when another adapter is promoted, "what_there_is" does not wait for what people have to ask for,
# "when_fed" never runs for being missing, only after what it reads; "when_asked" not before a person asked for it.
AUTOMATION_TAG = "clinical/automation"
GPU_KIND = "gpu"
ADAPTERS = dg.AssetSelection.groups("adapters")
PROFILE_TAG = "clinical/profile"  # what a model is for: demo, gpu or server
ON_GPU = dg.AssetSelection.kind(GPU_KIND) | dg.AssetSelection.tag(PROFILE_TAG, "server")
OPT_IN = ON_GPU | dg.AssetSelection.tag(AUTOMATION_TAG, "manual")


def refresh_on_change() -> dg.AutomationCondition:
    """Backfill what is missing, follow content changes, retry a failure once; wait for blocking checks upstream.

    Not bare ``eager()``: that never requests partitions that were missing before its first tick, and never retries.
    Not bare ``execution_failed()``: that is an endless loop of failing runs.
    """
    condition = dg.AutomationCondition
    waits = condition.all_deps_blocking_checks_passed() & ~condition.any_deps_missing()
    return (_trigger() & waits & _idle()).with_label("refresh_on_change")


def keep_history() -> dg.AutomationCondition:
    """Like :func:`refresh_on_change`, but a newly promoted adapter labels only what has no labels yet: the rest is a backfill."""
    condition = dg.AutomationCondition
    waits = condition.all_deps_blocking_checks_passed() & ~condition.any_deps_missing()
    return (_trigger(ignoring=ADAPTERS) & waits & _idle()).with_label("keep_history")


def follow_code() -> dg.AutomationCondition:
    """Like :func:`refresh_on_change`, and rerun every partition when the asset's code version changes."""
    condition = dg.AutomationCondition
    code_changed = condition.code_version_changed().since(condition.newly_requested())
    waits = condition.all_deps_blocking_checks_passed() & ~condition.any_deps_missing()
    return ((_trigger() | code_changed) & waits & _idle()).with_label("follow_code")


def what_there_is() -> dg.AutomationCondition:
    """Like :func:`refresh_on_change`, but what only a person launches, or a GPU makes, may be missing: it joins when it is there."""
    condition = dg.AutomationCondition
    waits = condition.all_deps_blocking_checks_passed() & ~condition.any_deps_missing().ignore(OPT_IN)
    return (_trigger() & waits & _idle()).with_label("what_there_is")


def refresh_aggregate() -> dg.AutomationCondition:
    """Refresh an unpartitioned asset over note batches: a missing or failed batch does not hold it up."""
    return (_trigger() & _idle()).with_label("refresh_aggregate")


def when_fed() -> dg.AutomationCondition:
    """Refresh after what it reads, and never for being missing: a question that nobody asks starts nothing.

    A model that failed holds up nobody else.
    """
    return (_trigger(missing=False) & _idle()).with_label("when_fed")


def when_asked() -> dg.AutomationCondition:
    """Like :func:`when_fed`, for the rows of a question: somebody has to ask it first (it was materialized, or tried and failed)."""
    condition = dg.AutomationCondition
    asked = ~condition.missing() | condition.execution_failed()
    return (_trigger(missing=False) & asked & _idle()).with_label("when_asked")


def _trigger(*, missing: bool = True, ignoring: dg.AssetSelection | None = None) -> dg.AutomationCondition:
    condition = dg.AutomationCondition
    updated = condition.any_deps_updated()
    if ignoring is not None:
        updated = updated.ignore(ignoring)
    changed = updated.replace("newly_updated", condition.data_version_changed())
    # Latched, so that a change during a run in flight is not forgotten. A change in the very tick in which the last
    # request is noticed came after that request: it must not be reset with it, or it would be lost for ever.
    pending = changed.since((condition.newly_requested() & ~changed) | condition.initial_evaluation())
    fed = pending | condition.execution_failed().newly_true()
    return (condition.missing() & ~condition.execution_failed()) | fed if missing else fed


def _idle() -> dg.AutomationCondition:
    return ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()


def with_automation(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the condition that fits it.

    Sources (no deps) and intake get none: intake is launched by the landing sensor alone, so that each run has one
    authority that started it.
    """
    wish = spec.tags.get(AUTOMATION_TAG)
    if wish == "manual" or spec.key.path[0] == "landing" or _is_intake(spec):
        return spec
    if spec.partitions_def == NOTE_BATCHES:
        wishes = {"follow_code": follow_code, "keep_history": keep_history, "what_there_is": what_there_is}
        return spec.replace_attributes(automation_condition=wishes.get(wish or "", refresh_on_change)())
    once = {"when_fed": when_fed, "when_asked": when_asked}
    if wish in once:
        return spec.replace_attributes(automation_condition=once[wish]())
    return spec.replace_attributes(automation_condition=refresh_aggregate())


def _is_intake(spec: dg.AssetSpec) -> bool:
    return spec.partitions_def == NOTE_BATCHES and spec.key.path[0] == "notes"


def build_automation_sensors() -> list[dg.AutomationConditionSensorDefinition]:
    """Return the sensor for CPU assets (on) and the one for models that need a GPU or a server (off: that is opt-in)"""
    return [
        dg.AutomationConditionSensorDefinition(
            "automation_cpu",
            target=dg.AssetSelection.all() - ON_GPU,
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=30,
        ),
        dg.AutomationConditionSensorDefinition(
            "automation_gpu",
            target=ON_GPU,
            default_status=dg.DefaultSensorStatus.STOPPED,
            minimum_interval_seconds=60,
        ),
    ]
