"""Dagster assets of the risk question: its cohort, the evaluated models, the promoted one, scores, drift, report."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from clinical_assets.risk.chain import drift_rows, evaluate_question, freeze, promoted_cell, score_rows
from clinical_assets.risk.model_store import load_frozen, promoted_digest, save_frozen
from clinical_assets.risk.opening import report_opening
from clinical_assets.risk.question import ask, cohort_rows
from clinical_assets.risk.report import evaluation_tables, risk_figures, tripod_table
from clinical_assets.risk.windows import NobodyIndexed, require_somebody
from clinical_assets.statistics.plots import markdown_image, write_figures
from clinical_assets.storage.risk_contracts import RISK_TABLES
from clinical_assets.study.model import Study
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.warehouse import WarehouseResource

__all__ = ["RISK_COHORT", "RISK_KEYS", "build_risk_assets"]

_COMMON: dict[str, Any] = {"group_name": "risk", "owners": ["team:clinical-data"]}
# Training is a decision of a person, or of the job; scores follow by themselves.
_MANUAL = {"clinical/automation": "manual"}
RISK_COHORT, _OUT_OF_FOLD, _EVALUATION, _MODEL, _SCORES, _DRIFT = (
    dg.AssetKey(["risk", name]) for name in ("cohort", "out_of_fold", "evaluation", "promoted_model", "scores", "drift")
)
_REPORT = dg.AssetKey(["report", "risk"])
RISK_KEYS = [RISK_COHORT, _OUT_OF_FOLD, _EVALUATION, _MODEL, _SCORES, _DRIFT, _REPORT]
_CODES = [dg.AssetKey(["risk", name]) for name in ("pre_index_codes", "charlson")]


def build_risk_assets(vectors: list[dg.AssetKey] | None = None) -> list[dg.AssetsDefinition]:
    """Return the assets of the risk question. `vectors` are the assets that write embeddings/person_vectors."""
    return [risk_cohort, _models(vectors or []), _scores(vectors or []), risk_report]


@dg.asset(key=RISK_COHORT, deps=[["risk", "windows"]], kinds={"python", "parquet"}, code_version="1", **_COMMON)
def risk_cohort(
    lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Everybody with the index event, with role and reason. One row per person. Read by embeddings, features and scores."""
    study = deployment.load_study()
    schema = RISK_TABLES["risk/cohort"]
    rows, problem = schema.empty_table(), ""
    if study.risk is not None:
        with warehouse.reader().get_connection() as connection:
            try:
                rows = cohort_rows(connection, study.risk)
            except NobodyIndexed as error:
                problem = str(error)
    written = lake.open().write("risk/cohort", rows, schema)
    counts = {f"n_{role}": rows.column("role").to_pylist().count(role) for role in ("case", "control", "removed")}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(written.digest),
        metadata={"dagster/row_count": written.n_rows, **counts, "problem": problem or "none"},
    )


def _models(vectors: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="evaluate_risk_models",
        specs=[
            dg.AssetSpec(
                key,
                deps=[RISK_COHORT, *_CODES, *vectors],
                description=description,
                kinds=kinds,
                tags=_MANUAL,
                code_version="1",
                **_COMMON,
            )
            for key, kinds, description in (
                (_OUT_OF_FOLD, {"python", "parquet"}, "Risks of persons by models that were not trained on them. One row per model, "
                 "design, repeat and person. Read by risk.test_risks and the report."),
                (_EVALUATION, {"python", "parquet"}, "How good every model of the ablation matrix is, with limits. One row per model, "
                 "analysis, detail and metric. Read by risk.performance and the report."),
                (_MODEL, {"python", "lightgbm"}, "The model that gives scores, trained on all cases and controls. A folder (no row) named "
                 "by its digest; none where too few events. Read by risk/scores."),
            )
        ],
    )  # fmt: skip
    def risk_models(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[dg.MaterializeResult]:
        study, store = deployment.load_study(), lake.open()
        question = _question(study)
        with warehouse.reader().get_connection() as connection:
            asked = ask(connection, store, question)
        require_somebody(store.n_rows("risk/cohort"), question.name, question.index.concepts)
        done = evaluate_question(
            asked,
            question,
            smallest=study.publication.small_cell_threshold,
            lake=store,
            log=context.log.info,
        )
        for key, rows in ((_OUT_OF_FOLD, done.out_of_fold), (_EVALUATION, done.evaluation)):
            written = store.write("/".join(key.path), rows, RISK_TABLES["/".join(key.path)])
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(written.digest),
                metadata={"dagster/row_count": written.n_rows, **_headline(done.evaluation.to_pylist())},
            )
        if done.promoted is None or done.model is None:
            yield dg.MaterializeResult(asset_key=_MODEL, metadata={"status": "insufficient", "reason": done.reason})
            return
        folder = deployment.settings().models / f"risk_{question.name}"
        digest = save_frozen(folder, freeze(asked, done.promoted, done.model))
        yield dg.MaterializeResult(
            asset_key=_MODEL,
            data_version=dg.DataVersion(digest),
            metadata={
                "model_sha": digest,
                "model": done.promoted.name,
                "folder": dg.MetadataValue.path(folder / digest),
            },
        )

    return risk_models


def _scores(vectors: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="score_persons_at_risk",
        specs=[
            dg.AssetSpec(
                key,
                deps=[_MODEL, RISK_COHORT, *_CODES, *vectors],
                description=description,
                kinds={"python", "parquet"},
                code_version="1",
                **_COMMON,
            )
            for key, description in (
                (_SCORES, "Risks by the frozen promoted model, of new persons too. One row per person who fits the question. Read by "
                 "risk.person_scores."),
                (_DRIFT, "How far new persons differ from those of training. One row per column of the model, and the score. Read by "
                 "risk.score_drift."),
            )
        ],
    )  # fmt: skip
    def risk_scores(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[dg.MaterializeResult]:
        study, store = deployment.load_study(), lake.open()
        tables = {_SCORES: RISK_TABLES["risk/scores"].empty_table(), _DRIFT: RISK_TABLES["risk/drift"].empty_table()}
        folder = deployment.settings().models / f"risk_{study.risk.name}" if study.risk else None
        digest = promoted_digest(folder) if folder else None
        if study.risk is not None and folder is not None and digest is not None:
            frozen = load_frozen(folder, digest)
            with warehouse.reader().get_connection() as connection:
                asked = ask(connection, store, study.risk)
            tables[_SCORES] = score_rows(
                asked, study.risk, frozen, digest, made_at=datetime.now(UTC), run_id=context.run_id
            )
            tables[_DRIFT] = drift_rows(asked, study.risk, frozen, digest)
        for key, rows in tables.items():
            name = "/".join(key.path)
            written = store.write(name, rows, RISK_TABLES[name])
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(written.digest),
                metadata={
                    "dagster/row_count": written.n_rows,
                    "model_sha": digest or "no promoted model: nothing to score",
                },
            )

    return risk_scores


@dg.asset(
    key=_REPORT,
    deps=[_OUT_OF_FOLD, _EVALUATION, _MODEL, ["risk", "attrition"]],
    kinds={"python", "matplotlib"},
    tags=_MANUAL,
    code_version="1",
    **_COMMON,
)
def risk_report(
    lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Figures (ROC, calibration, net benefit, contributions), their numbers, the TRIPOD+AI table. Files in the report folder, no row."""
    study, store, settings = deployment.load_study(), lake.open(), deployment.settings()
    question = _question(study)
    out_of_fold, evaluation = store.read("risk/out_of_fold"), store.read("risk/evaluation")
    encoders = sorted({m.split("/")[2] for m in evaluation.column("model").to_pylist() if m.count("/") == 2})
    model = promoted_cell(question, encoders).name if out_of_fold.num_rows else ""
    with warehouse.reader().get_connection() as connection:
        attrition = connection.sql("select step, n_after from risk.attrition order by step_order").fetchall()
        names = dict(
            connection.sql("select distinct concept_id::varchar, concept_name from risk.pre_index_codes").fetchall()
        )
    smallest = study.publication.small_cell_threshold
    figures = risk_figures(out_of_fold, evaluation, question, model, names, smallest=smallest)
    write_figures(settings.report / "figures", figures)
    digest = promoted_digest(settings.models / f"risk_{question.name}")
    tripod = tripod_table(question, evaluation, attrition, digest)
    opening = report_opening(question, evaluation.to_pylist(), model, digest, figures)
    tables = f"{opening}{evaluation_tables(evaluation)}"
    settings.report.mkdir(parents=True, exist_ok=True)
    (settings.report / f"tripod_ai_{question.name}.md").write_text(tripod, encoding="utf-8")
    (settings.report / f"risk_{question.name}.md").write_text(tables, encoding="utf-8")
    shown = {name: dg.MetadataValue.md(markdown_image(png, name)) for name, png in figures.items()}
    return dg.MaterializeResult(metadata={"tripod_ai": dg.MetadataValue.md(tripod), **_sizes(out_of_fold), **shown})


def _sizes(out_of_fold: pa.Table) -> dict[str, int]:
    persons = out_of_fold.select(["person_id", "is_case"]).group_by(["person_id", "is_case"]).aggregate([])
    return {"n_persons": persons.num_rows, "n_cases": persons.column("is_case").to_pylist().count(True)}


def _question(study: Study) -> Any:
    if study.risk is None:
        raise dg.Failure("the study asks no risk question: write a block risk: (docs/risk.md)", allow_retries=False)
    return study.risk


def _headline(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Areas of the models and their differences, as a table in the UI."""
    kept = [
        r for r in rows if r["metric"] == "auroc" and r["analysis"] in ("performance", "difference", "severe_outcome")
    ]
    names = ("model", "analysis", "design", "detail", "value", "low", "high", "n", "n_events", "status")
    records = [
        dg.TableRecord(
            {k: "" if r[k] is None else f"{r[k]:.3f}" if isinstance(r[k], float) else str(r[k]) for k in names}
        )
        for r in kept
    ]
    return {"auroc": dg.TableMetadataValue(records, dg.TableSchema([dg.TableColumn(name) for name in names]))}
