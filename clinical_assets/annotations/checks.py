"""Asset checks of the human annotations: nothing leaks between splits, every field is answered both ways, files were accepted."""

import dagster as dg
import pyarrow.compute as pc

from clinical_assets.annotations.leakage import SIMILAR, near_duplicates, straddling
from clinical_assets.annotations.shortfalls import one_sided_fields, rejects_by_reason
from resources.deployment import DeploymentResource
from resources.lake import LakeResource

__all__ = ["NEAR_DUPLICATES_CHECK", "build_annotation_checks"]

NEAR_DUPLICATES_CHECK = dg.AssetCheckKey(
    dg.AssetKey(["annotations", "splits"]), "no_text_is_nearly_one_of_another_split"
)


def build_annotation_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the annotation tables."""
    return [
        annotations_were_accepted,
        every_field_has_both_answers,
        no_person_or_text_is_in_two_splits,
        no_text_is_nearly_one_of_another_split,
    ]


@dg.asset_check(asset=["annotations", "rejects"])
def annotations_were_accepted(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn when files or answers in landing/annotations are not used; how many by reason, and how to mend it."""
    rejects = lake.open().read_all("annotations/rejects")
    by_reason, mends = rejects_by_reason(rejects)
    return dg.AssetCheckResult(
        passed=not by_reason,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "n_refused": pc.sum(rejects["n"], min_count=0).as_py(),
            "by_reason": dg.MetadataValue.json(by_reason),
        },
        description="\n".join(mends) or None,
    )


@dg.asset_check(asset=["annotations", "adjudicated"])
def every_field_has_both_answers(lake: LakeResource, deployment: DeploymentResource) -> dg.AssetCheckResult:
    """Warn of fields that annotators answered one way only: nothing can be trained or judged on them."""
    fields = [field.name for field in deployment.load_study().fields]
    short = one_sided_fields(lake.open().read_all("annotations/adjudicated"), fields)
    return dg.AssetCheckResult(
        passed=not short,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"n_fields": len(short), "fields": dg.MetadataValue.json(short)},
        description="Label notes in which these fields are the other way: clinical-assets review, or labels.review_queue."
        if short
        else None,
    )


@dg.asset_check(asset=["annotations", "splits"], blocking=True)
def no_person_or_text_is_in_two_splits(lake: LakeResource) -> dg.AssetCheckResult:
    """Fail when a person, or a text, stands in two of train, validation and test."""
    found = straddling(lake.open().read_all("annotations/splits"))
    return dg.AssetCheckResult(
        passed=not (found.n_persons or found.n_texts),
        metadata={"n_persons": found.n_persons, "n_texts": found.n_texts, "n_notes": found.n_notes},
        description="Materialize annotations/splits with start_over: true; what was trained on these splits is void."
        if found.n_persons or found.n_texts
        else None,
    )


@dg.asset_check(asset=["annotations", "splits"])
def no_text_is_nearly_one_of_another_split(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn when texts of validation or test are nearly the same as one of another split (a sample of 1,500 texts a side)."""
    store = lake.open()
    found = near_duplicates(store.read_all("annotations/splits"), store)
    return dg.AssetCheckResult(
        passed=not found.n_near,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "n_near": found.n_near,
            "n_compared": found.n_compared,
            "n_texts": found.n_notes,
            "share_near": found.n_near / found.n_compared if found.n_compared else 0.0,
            "jaccard_from": SIMILAR,
        },
        description="What a model learned from a text it may know of its near copy: read results on these splits with that in mind."
        if found.n_near
        else None,
    )
