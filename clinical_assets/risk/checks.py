"""Asset checks of the risk question: somebody is asked about, nothing after the index is used, both halves help, nothing drifted."""

from collections.abc import Iterator

import dagster as dg

from clinical_assets.risk.windows import NobodyIndexed, require_somebody
from clinical_assets.statistics.stability import DRIFTED
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.warehouse import WarehouseResource

__all__ = ["build_risk_checks"]

_SLOPE = (0.7, 1.43)  # a slope within 1 / 0.7 is usable without recalibration


def build_risk_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of cohort, evaluation and drift."""
    return [risk_cohort_checks, combined_features_beat_either, scores_have_not_drifted]


@dg.multi_asset_check(
    name="risk_cohort_is_sound",
    specs=[
        dg.AssetCheckSpec("index_matches_somebody", asset=["risk", "cohort"], blocking=True),
        dg.AssetCheckSpec("no_feature_is_dated_on_or_after_the_index", asset=["risk", "cohort"], blocking=True),
    ],
)
def risk_cohort_checks(
    lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> Iterator[dg.AssetCheckResult]:
    """The index concepts match somebody; what features are made of lies strictly before the index."""
    question, mend = deployment.load_study().risk, ""
    n = lake.open().n_rows("risk/cohort")
    try:
        if question is not None:
            require_somebody(n, question.name, question.index.concepts)
    except NobodyIndexed as error:
        mend = str(error)
    yield dg.AssetCheckResult(
        asset_key=["risk", "cohort"], check_name="index_matches_somebody", passed=not mend, metadata={"n_persons": n},
        description=mend or None,
    )  # fmt: skip
    with warehouse.reader().get_connection() as connection:
        late = connection.sql(
            "select count(*) from risk.pre_index_codes as code join risk.windows as person using (person_id) "
            "where code.last_date >= person.index_date"
        ).fetchall()[0][0]
    yield dg.AssetCheckResult(
        asset_key=["risk", "cohort"], check_name="no_feature_is_dated_on_or_after_the_index", passed=late == 0,
        metadata={"n_late": late}, description=None if late == 0 else "Build the warehouse again: risk.pre_index_codes is stale.",
    )  # fmt: skip


@dg.asset_check(asset=["risk", "evaluation"])
def combined_features_beat_either(lake: LakeResource, deployment: DeploymentResource) -> dg.AssetCheckResult:
    """The promoted model ranks better than those with fewer features (limits above zero), and is calibrated."""
    rows = lake.open().read("risk/evaluation").to_pylist()
    question = deployment.load_study().risk
    wanted = f"{question.models.promoted_feature_set}/{question.models.promoted_learner}" if question else ""
    gained = [
        r for r in rows if r["analysis"] == "difference" and r["metric"] == "auroc" and r["model"].startswith(wanted)
    ]
    slopes = [
        r["value"]
        for r in rows
        if r["metric"] == "calibration_slope" and r["design"] == "cross_validation" and r["model"].startswith(wanted)
    ]
    worse = [r for r in gained if r["low"] is None or r["low"] <= 0]
    bent = [slope for slope in slopes if slope is None or not _SLOPE[0] <= slope <= _SLOPE[1]]
    return dg.AssetCheckResult(
        passed=not worse and not bent,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"n_differences": len(gained), "n_not_above_zero": len(worse), "calibration_slope": str(slopes)},
        description="A smaller model ranks as well, or risks need recalibration: see risk.performance."
        if worse or bent
        else None,
    )


@dg.asset_check(asset=["risk", "drift"])
def scores_have_not_drifted(lake: LakeResource) -> dg.AssetCheckResult:
    """New persons' scores are distributed as in training: a stability index of at most 0.25."""
    rows = lake.open().read("risk/drift").to_pylist()
    score = next((row for row in rows if row["feature"] == "score"), None)
    psi = score["psi"] if score else None
    # of few persons the index is noise: its expectation without any drift is about (bins - 1) * (1 / n_new + 1 / n_training)
    allowed = DRIFTED + (9 * (1 / score["n_new"] + 1 / score["n_training"]) if score and score["n_new"] else 0.0)
    moved = [row["feature"] for row in rows if row["psi"] is not None and row["psi"] > 4 * allowed]
    return dg.AssetCheckResult(
        passed=psi is None or psi <= allowed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "psi": psi if psi is not None else "no new persons",
            "allowed": allowed,
            "n_columns_far_off": len(moved),
        },
        description=None if psi is None or psi <= allowed else "Look at risk.score_drift; recalibrate or train anew.",
    )
