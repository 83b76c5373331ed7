"""Dagster assets of the prediction question: its rows, one asset a model, the comparison, figures and report."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.prediction.chain import STACKED, ask, run_classical, run_constants, run_stacked
from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.compare import Compared, compare
from clinical_assets.prediction.language import PREDICTION_TASK, asked
from clinical_assets.prediction.language_chain import ask_language_model, fine_tune
from clinical_assets.prediction.report import best_table, comparison_table, prediction_figures, prediction_report
from clinical_assets.prediction.rows import question_files
from clinical_assets.prediction.scoring import promoted_model, score_unanswered, unanswered
from clinical_assets.prediction.store import Asked, keep_rows
from clinical_assets.statistics.plots import markdown_image, write_figures
from clinical_assets.storage.lake import Written
from clinical_assets.study.model import Study
from clinical_assets.study.prediction import CLASSICAL, PredictionQuestion
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.language_models import LanguageModelsResource
from resources.observed_folder import observed_folder
from resources.warehouse import WarehouseResource

__all__ = [
    "COMPARISON",
    "LANDED",
    "RECORDED",
    "ROWS",
    "SCORING",
    "STACKED_KEY",
    "build_prediction_assets",
    "prediction_keys",
]

ROWS, COMPARISON = dg.AssetKey(["prediction", "rows"]), dg.AssetKey(["prediction", "comparison"])
LANDED = dg.AssetKey(["landing", "prediction"])
SCORING = dg.AssetKey(["prediction", "scoring"])
# What dbt reads of the lake; the comparison follows all that is written there.
RECORDED = ("results", "comparisons", "predictions", "models", "weights", "rows")  # and the scores, of SCORING
# Made by a job of its own: in one run with language models it would be skipped with any that fails.
STACKED_KEY = dg.AssetKey(["prediction", STACKED])
_CONSTANTS = dg.AssetKey(["prediction", "constants"])
_COMMON: dict[str, Any] = {"group_name": "prediction", "owners": ["team:clinical-data"], "code_version": "1"}
# A person, the job or the command asks the question; models follow its rows, and the comparison follows the models.
_MANUAL, _FED = {"clinical/automation": "manual"}, {"clinical/automation": "when_fed"}
_ASKED = {"clinical/automation": "when_asked"}  # once asked, its rows follow their file


def prediction_keys(entries: list[ModelEntry], *, adapted: bool = False) -> list[dg.AssetKey]:
    """Return the keys of rows and models, in the order in which they can be made; with `adapted` those of adapters alone."""
    if adapted:
        return [_key(entry.adapted_labeller) for entry in entries]
    language = [_key(entry.labeller) for entry in entries]
    return [ROWS, _CONSTANTS, *(_key(name) for name in CLASSICAL), *language]


def build_prediction_assets(entries: list[ModelEntry], trained: list[ModelEntry]) -> list[dg.AssetsDefinition]:
    """Return rows, one asset a model, and the comparison.

    Parameters
    ----------
    entries, trained
        Models of the catalogue that are asked as they are, and that are fine-tuned for the question.
    """
    models = [
        _constants(),
        *(_classical(name) for name in CLASSICAL),
        *(_language_model(entry) for entry in entries),
        _stacked(entries),
    ]
    tuned = [_fine_tuned(entry) for entry in trained]
    landed = observed_folder(
        LANDED,
        "Tables in landing/prediction, one row a patient. The data version is the digest of the files. Read by prediction/rows.",
        question_files,
    )
    return [
        landed,
        prediction_rows,
        *models,
        *tuned,
        _comparison([key for model in [*models, *tuned] for key in model.keys], entries),
        prediction_scoring,
    ]


@dg.asset(key=ROWS, deps=[LANDED], kinds={"python", "parquet"}, tags=_ASKED, **_COMMON)
def prediction_rows(
    lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Rows of the study's question with outcome, split and folds. One row a patient, or what the source has. Read by all models."""
    it = ask_question(deployment, warehouse)
    written, data = keep_rows(lake.open(), it), it.dataset
    sizes = {f"n_{name}": int((it.assigned.split == name).sum()) for name in ("train", "validation", "test")}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(it.sha),
        metadata={
            "dagster/row_count": written.n_rows,
            "question": it.question.question,
            "n_read": data.n_read,
            "n_without_outcome": data.n_without_outcome,
            "n_yes": int(data.y.sum()),
            **sizes,
            "notices": dg.MetadataValue.md("\n".join(f"* {notice}" for notice in data.notices) or "none"),
            "not_recorded": dg.MetadataValue.json(data.missing()),
        },
    )


@dg.asset(key=SCORING, deps=[ROWS, COMPARISON], kinds={"python", "parquet"}, tags=_FED, **_COMMON)
def prediction_scoring(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """P(yes) of the rows without an outcome, by the promoted model. One row a row. Read by prediction.scores."""
    it, query = ask_question(deployment, warehouse), _query(warehouse)
    settings = deployment.settings()
    rows = unanswered(it, settings.landing / "prediction", query)
    promoted = promoted_model(lake.open(), it)
    written = score_unanswered(lake.open(), it, promoted, rows, settings.models, **_now(context))
    facts = {"promoted": "none", "why": promoted} if isinstance(promoted, str) else vars(promoted)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(written.digest),
        metadata={"dagster/row_count": written.n_rows, "n_without_outcome": len(rows[0]), **facts},
    )


def _constants() -> dg.AssetsDefinition:
    @dg.asset(key=_CONSTANTS, deps=[ROWS], kinds={"python", "parquet"}, tags=_FED, **_COMMON)
    def constants(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        """Always yes, always no, the prevalence: what models have to beat. One row a row and design. Read by prediction/comparison."""
        made = run_constants(lake.open(), ask_question(deployment, warehouse), **_now(context))
        return dg.MaterializeResult(
            metadata={"dagster/row_count": sum(one.n_rows for one in made), "n_models": len(CONSTANTS)}
        )

    return constants


def _classical(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=_key(name),
        deps=[ROWS],
        kinds={"python", "lightgbm" if name == "lightgbm" else "sklearn"},
        tags=_FED,
        description=f"Answers of {name} to the question, out of fold and on rows it was not trained on. One row a row, repeat and "
        "design. Read by prediction/comparison.",
        **_COMMON,
    )
    def classical(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        it = ask_question(deployment, warehouse)
        if name not in it.question.models.classical:
            return dg.MaterializeResult(metadata={"skipped": "not among prediction.models.classical of the study"})
        return _made(run_classical(lake.open(), it, name, **_run(context, deployment)))

    return classical


def _language_model(entry: ModelEntry) -> dg.AssetsDefinition:
    @dg.asset(
        key=_key(entry.labeller),
        deps=[ROWS, *_weights(entry)],
        pool=GPU_POOL,
        description=f"P(yes) of {entry.description}, as it is (zero-shot), for every row. One row a row, with what it wrote (lake only). "
        "Read by prediction/comparison.",
        **_of_model(entry),
    )
    def language_model(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        it = ask_question(deployment, warehouse)
        if not _wanted(it.question, entry):
            return dg.MaterializeResult(
                metadata={"skipped": "not among prediction.models.language_models of the study"}
            )
        schema, prompt, folder = *asked(it.question), _folder(language_models, deployment.load_study(), entry)
        revision = language_models.revision(entry, *_trained_for(deployment.load_study(), entry))
        written = ask_language_model(
            lake.open(),
            it,
            entry,
            revision,
            lambda: language_models.open(entry, schema, prompt, folder=folder, plain_yes_no=True, log=context.log.info),
            log=context.log.info,
            **_now(context),
        )
        return _made(written)

    return language_model


def _fine_tuned(entry: ModelEntry) -> dg.AssetsDefinition:
    @dg.asset(
        key=_key(entry.adapted_labeller),
        deps=[ROWS, *_weights(entry)],
        pool=GPU_POOL,
        description=f"Answers of {entry.name} fine-tuned on the training rows; validation rows choose epoch, settings and threshold. One "
        "row a validation or test row. Trained once for the same rows and settings. Read by prediction/comparison.",
        **{**_of_model(entry), "tags": {**_of_model(entry)["tags"], **_MANUAL}},
    )
    def fine_tuned(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        it, log = ask_question(deployment, warehouse), context.log.info
        schema, prompt, folder = *asked(it.question), _folder(language_models, deployment.load_study(), entry)
        written, adapter = fine_tune(
            lake.open(),
            it,
            entry,
            lambda digest: language_models.open(
                entry, schema, prompt, adapter=digest, task=PREDICTION_TASK, folder=folder, log=log
            ),
            base_folder=folder,
            device=language_models.gpu.device(),
            **_run(context, deployment),
        )
        made = _made(written)
        return dg.MaterializeResult(
            data_version=made.data_version,
            metadata={
                **(made.metadata or {}),
                "adapter_sha": adapter.digest,
                "was_there_already": adapter.reused,
                "n_steps": adapter.n_steps,
            },
        )

    return fine_tuned


def _stacked(entries: list[ModelEntry]) -> dg.AssetsDefinition:
    @dg.asset(
        key=STACKED_KEY,
        deps=[ROWS, *(_key(e.labeller) for e in entries if e.profile == "demo")],
        kinds={"python", "lightgbm"},
        tags=_FED,
        **_COMMON,
    )
    def stacked(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        """LightGBM with P(yes) of a language model as a feature. One row a row, repeat and design. Read by prediction/comparison."""
        it = ask_question(deployment, warehouse)
        model = it.question.models.stacked_on
        if model is None:
            return dg.MaterializeResult(metadata={"skipped": "the study has no prediction.models.stacked_on"})
        return _made(run_stacked(lake.open(), it, f"llm_{model}", **_run(context, deployment)))

    return stacked


def _comparison(models: list[dg.AssetKey], entries: list[ModelEntry]) -> dg.AssetsDefinition:
    @dg.asset(key=COMPARISON, deps=[ROWS, *models], kinds={"python", "matplotlib"}, tags=_FED, **_COMMON)
    def comparison(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        """All models that answered, judged alike. One row a model, design, subgroup and metric; one a pair. Read by prediction.results."""
        it, store, settings = ask_question(deployment, warehouse), lake.open(), deployment.settings()
        here = [e for e in entries if e.profile == settings.profile and _wanted(it.question, e)]
        expected = [*it.question.models.classical, *(entry.labeller for entry in here)]
        smallest = deployment.load_study().publication.small_cell_threshold
        found = compare(store, it, expected, smallest=smallest, log=context.log.info)
        figures = prediction_figures(it, found)
        write_figures(settings.report / "figures", figures)
        kept: dict[str, list[dict[str, Any]]] = {
            table: [
                row
                for one in sorted({j.model for j in found.judged})
                for row in store.read(f"prediction/{table}", one).to_pylist()
            ]
            for table in ("models", "weights")
        }
        path = settings.report / f"prediction_{it.question.name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(prediction_report(it, found, kept["models"], kept["weights"]), encoding="utf-8")
        return _compared(found, figures, str(path))

    return comparison


def _compared(found: Compared, figures: dict[str, bytes], path: str) -> dg.MaterializeResult:
    rows = comparison_table(found)
    table = dg.TableMetadataValue(
        [dg.TableRecord(dict(row)) for row in rows], dg.TableSchema([dg.TableColumn(name) for name in rows[0]])
    )
    shown: dict[str, Any] = {name: dg.MetadataValue.md(markdown_image(png, name)) for name, png in figures.items()}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(found.digest),
        metadata={
            "conclusions": dg.MetadataValue.md("\n\n".join(found.said)),
            "dagster/row_count": len(found.results),
            "n_models": len(rows),
            "report": dg.MetadataValue.path(path),
            "test_rows": table,
            "best_per_metric": dg.MetadataValue.md(best_table(found)),
            **shown,
        },
    )


def _made(written: Written) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        data_version=dg.DataVersion(written.digest), metadata={"dagster/row_count": written.n_rows}
    )


def ask_question(deployment: DeploymentResource, warehouse: WarehouseResource) -> Asked:
    """Return the study's question with its rows and splits; a Failure where it asks none."""
    study = deployment.load_study()
    if study.prediction is None:
        raise dg.Failure(
            "the study asks no prediction question: write a block prediction: (docs/prediction.md)", allow_retries=False
        )

    return ask(study.prediction, deployment.settings().landing / "prediction", _query(warehouse))


def _query(warehouse: WarehouseResource) -> Callable[[str], Any]:
    def query(sql: str) -> Any:
        with warehouse.reader().get_connection() as connection:
            return connection.execute(sql).to_arrow_table()

    return query


def _wanted(question: PredictionQuestion, entry: ModelEntry) -> bool:
    return question.models.language_models is None or entry.name in question.models.language_models


def _trained_for(study: Study, entry: ModelEntry) -> Any:
    """The question that a demo model was made for; it is asked this one all the same, without having seen it."""
    question = question_of(study, entry)
    return question.schema, question.prompt


def _folder(language_models: LanguageModelsResource, study: Study, entry: ModelEntry) -> Any:
    return language_models.folder(entry, *_trained_for(study, entry))


def _run(context: dg.AssetExecutionContext, deployment: DeploymentResource) -> dict[str, Any]:
    return {"models": deployment.settings().models, "log": context.log.info, **_now(context)}


def _now(context: dg.AssetExecutionContext) -> dict[str, Any]:
    return {"made_at": datetime.now(UTC), "run_id": context.run_id}


def _key(name: str) -> dg.AssetKey:
    return dg.AssetKey(["prediction", name])


def _weights(entry: ModelEntry) -> list[list[str]]:
    return [["models", entry.name]] if entry.recipe else []


def _of_model(entry: ModelEntry) -> dict[str, Any]:
    return {
        "kinds": {"python", "parquet", "huggingface" if entry.backend != "server" else "openai"}
        | ({"gpu"} if entry.profile == "gpu" else set()),
        "tags": {"clinical/profile": entry.profile, "clinical/backend": entry.backend, **_FED},
        "metadata": {
            "model": entry.model or f"demo recipe {entry.recipe}",
            "licence": entry.licence,
            "decoding": entry.full_decoding,
        },
        **_COMMON,
    }
