"""Dagster assets of the human annotations: what landed, who answered what, what they agree on, splits, and the export."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from clinical_assets.annotations.landed import annotation_files
from clinical_assets.annotations.review import export_review
from clinical_assets.annotations.store import scope_of, store_adjudicated, store_human_labels, store_splits
from clinical_assets.annotations.tasks import FORMATS
from clinical_assets.storage.lake import Written
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.observed_folder import observed_folder
from resources.warehouse import WarehouseResource

__all__ = ["LANDED_KEY", "REVIEW_EXPORT", "build_annotation_assets"]

LANDED_KEY = dg.AssetKey(["landing", "annotations"])
REVIEW_EXPORT = dg.AssetKey(["annotations", "review_export"])
_GROUP, _OWNERS, _KINDS = "annotations", ["team:clinical-nlp"], {"python", "parquet"}


def build_annotation_assets() -> list[dg.AssetsDefinition]:
    """Return the landed files (observed), the four tables, and the export of the review queue."""
    landed = observed_folder(
        LANDED_KEY,
        "Files of human labels in landing/annotations: our own long formats, and exports of annotation tools. The data version is the "
        "digest of the files. Read by annotations.human_labels.",
        annotation_files,
    )
    return [landed, human_labels, adjudicated_labels, annotation_splits, review_export]


@dg.multi_asset(
    name="human_labels",
    specs=[
        dg.AssetSpec(
            ["annotations", "human_labels"],
            deps=[LANDED_KEY, ["notes", "notes"]],
            group_name=_GROUP,
            owners=_OWNERS,
            kinds=_KINDS,
            code_version="1",
            description="Answers of annotators with their versions. One row per note, annotator, field and version. "
            "Read by labels.annotations and annotations.adjudicated.",
        ),
        dg.AssetSpec(
            ["annotations", "rejects"],
            deps=[LANDED_KEY, ["notes", "notes"]],
            group_name=_GROUP,
            owners=_OWNERS,
            kinds=_KINDS,
            code_version="1",
            description="What landed in landing/annotations and is not used. One row per file and reason. Read by people.",
        ),
    ],
)
def human_labels(
    context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
) -> Iterator[dg.MaterializeResult]:
    """Read every landed file of human labels, hold it against the notes, and keep what is new as versions."""
    folder = deployment.settings().landing / "annotations"
    labels, rejects, shown = store_human_labels(lake.open(), folder, deployment.load_study(), now=datetime.now(UTC))
    if rejects.n_rows:
        context.log.warning(f"{rejects.n_rows} kinds of refused answers or files: see annotations/rejects")
    yield _result("human_labels", labels, shown)
    yield _result("rejects", rejects, {})


@dg.asset(
    key=["annotations", "adjudicated"],
    deps=[["annotations", "human_labels"], ["notes", "notes"]],
    group_name=_GROUP,
    owners=_OWNERS,
    kinds=_KINDS,
    code_version="1",
)
def adjudicated_labels(lake: LakeResource, deployment: DeploymentResource) -> dg.MaterializeResult:
    """What annotators agree on or their adjudicator says. One row per note and field (current text). Read by labels.manual_labels."""
    written, by_status = store_adjudicated(lake.open(), deployment.load_study())
    return _result("adjudicated", written, {f"n_{status}": n for status, n in sorted(by_status.items())})


class SplitsConfig(dg.Config):
    """How the splits are made."""

    start_over: bool = Field(
        default=False, description="Forget what was assigned. Models and reports that used it are void"
    )


@dg.asset(
    key=["annotations", "splits"],
    deps=[["annotations", "adjudicated"]],
    group_name=_GROUP,
    owners=_OWNERS,
    kinds=_KINDS,
    code_version="1",
)
def annotation_splits(config: SplitsConfig, lake: LakeResource, deployment: DeploymentResource) -> dg.MaterializeResult:
    """Train, validation and test, drawn in groups and kept. One row per annotated note. Read by labels.annotation_splits."""
    in_scope = scope_of(deployment.settings().warehouse)
    written, counts = store_splits(
        lake.open(), deployment.load_study(), in_scope, now=datetime.now(UTC), start_over=config.start_over
    )
    return _result("splits", written, counts)


class ReviewConfig(dg.Config):
    """What is exported."""

    format: str = Field(default="label_studio", description=f"One of {', '.join(FORMATS)}")
    n: int = Field(default=200, description="Notes at most, from the top of labels.review_queue")


@dg.asset(
    key=REVIEW_EXPORT,
    deps=[["labels", "review_queue"], ["notes", "notes"]],
    group_name=_GROUP,
    owners=_OWNERS,
    kinds={"python", "file"},
    tags={"clinical/automation": "manual"},
    code_version="1",
)
def review_export(
    config: ReviewConfig, lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """The top of the review queue with texts, as a file for an annotation tool. One task (or row) per note. Read by annotators."""
    with warehouse.reader().get_connection() as connection:
        done = export_review(
            connection,
            lake.open(),
            deployment.load_study(),
            deployment.settings().exports,
            format=config.format,
            n=config.n,
        )
    counts = {"n_notes": done.n_notes, "n_answers_asked": done.n_answers}
    return dg.MaterializeResult(metadata={"file": dg.MetadataValue.path(done.path), "format": config.format, **counts})


def _result(table: str, written: Written, shown: dict[str, int]) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=["annotations", table],
        data_version=dg.DataVersion(written.digest),
        metadata={"dagster/row_count": written.n_rows, **shown},
    )
