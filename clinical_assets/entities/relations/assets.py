"""Dagster assets of the relations: the trained model, its scores on annotated documents, and the relations of every note batch."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa

from clinical_assets.entities.batch import model_errors
from clinical_assets.entities.corpora.annotated import CorpusError
from clinical_assets.entities.lister import studys_lister
from clinical_assets.entities.relations.batch import relate_batch
from clinical_assets.entities.relations.learning import TooFewRelations
from clinical_assets.entities.relations.scoring import found_by, score_relations, train_on_corpora
from clinical_assets.entities.relations.store import load_relation_model, save_relation_model
from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.content_folder import FolderError
from clinical_assets.storage.entity_contracts import EXTRACTION_SCORES
from clinical_assets.storage.lake import ContractError
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES

__all__ = ["RELATIONS_KEY", "RELATION_MODEL_KEYS", "SCORE_BATCH", "SCORE_TABLE", "build_relation_assets"]

_MODEL, _SCORES, RELATIONS_KEY = (
    dg.AssetKey(["entities", name]) for name in ("relation_model", "relation_scores", "relations")
)
RELATION_MODEL_KEYS = [_MODEL, _SCORES]
SCORE_TABLE, SCORE_BATCH = "entities/extraction_scores", "relations"  # beside the scores of mentions
_COMMON: dict[str, Any] = {"group_name": "entities", "owners": ["team:clinical-nlp"], "code_version": "1"}
# Training is a decision of a person, or of the job; relations of notes join as soon as there is a model, and go without until then.
_MANUAL, _JOINS = {"clinical/automation": "manual"}, {"clinical/automation": "what_there_is"}
_SAFE = (ContractError, CorpusError, OSError, FolderError, TooFewRelations)


def build_relation_assets(mentions: dg.AssetKey, corpora: list[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """Return the assets. `mentions` is the asset of mentions per note batch, `corpora` are those of the annotated documents."""
    return [_model(corpora), _relations(mentions)]


def _model(corpora: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="trained_relation_model",
        pool=GPU_POOL,  # a language model is judged where one reads the notes
        specs=[
            dg.AssetSpec(_MODEL, deps=corpora, tags=_MANUAL, kinds={"python", "lightgbm"}, description=(
                "The model of relations, trained on the landed corpora. A folder (no row) named by its digest. Read by "
                "entities/relations."), **_COMMON),
            dg.AssetSpec(_SCORES, deps=corpora, tags=_MANUAL, kinds={"python", "parquet"}, description=(
                "How good relations are on documents that were not trained on, beside co-occurrence. One row per corpus, split, task, "
                "extractor and average, in entities/extraction_scores. Read by people."), **_COMMON),
        ],
    )  # fmt: skip
    def relation_model(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> Iterator[dg.MaterializeResult]:
        store, models = lake.open(), deployment.settings().models
        try:
            with withhold_messages(*_SAFE):
                model = train_on_corpora(store, log=context.log.info)
                digest = save_relation_model(models, model)
        except TooFewRelations as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        yield dg.MaterializeResult(
            asset_key=_MODEL,
            data_version=dg.DataVersion(digest),
            metadata={"model_sha": digest, "threshold": model.threshold, **_numbers(model.card)},
        )
        study, log = deployment.load_study(), context.log.info
        with withhold_messages(*_SAFE, *model_errors()), studys_lister(study, deployment.settings(), log) as lister:
            rows = score_relations(store, (digest, model), found_by(models), lister)
        scores = pa.Table.from_pylist(rows, EXTRACTION_SCORES)
        written = store.write(SCORE_TABLE, scores, EXTRACTION_SCORES, batch=SCORE_BATCH)
        yield dg.MaterializeResult(
            asset_key=_SCORES,
            data_version=dg.DataVersion(written.digest),
            metadata={"dagster/row_count": written.n_rows, "f1": dg.MetadataValue.md(_table(rows))},
        )

    return relation_model


def _relations(mentions: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(
        key=RELATIONS_KEY,
        deps=[mentions, _MODEL],
        partitions_def=NOTE_BATCHES,
        kinds={"python", "parquet", "lightgbm"},
        tags=_JOINS,
        **_COMMON,
    )
    def relations(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> dg.MaterializeResult:
        """Every pair of a chemical and a disease of a note, with what the model says and how it is worded. One row per note and pair.

        Read by the knowledge graph and entities.relations. Without a trained model nothing is decided: value is null.
        """
        store, batch = lake.open(), context.partition_key
        with withhold_messages(*_SAFE):
            trained = load_relation_model(deployment.settings().models)
            done = relate_batch(store, batch, trained, made_at=datetime.now(UTC), run_id=context.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(done.written.digest),
            metadata={
                "dagster/partition_row_count": done.written.n_rows,
                "relation_model": done.relation_model,
                "n_notes": done.n_notes,
                "n_true": done.n_true,
                "n_undecided": done.n_undecided,
            },
        )

    return relations


def _numbers(card: Any) -> dict[str, Any]:
    return {name: value for name, value in card.items() if isinstance(value, int | float)}


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| corpus | split | task | extractor | precision | recall | F1 | 95 % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["average"] == "micro":
            numbers = [_shown(row[name]) for name in ("precision", "recall", "f1")]
            limits = f"{_shown(row['f1_low'])} to {_shown(row['f1_high'])}"
            names = [row[name] for name in ("corpus", "split", "task", "extractor")]
            lines.append("| " + " | ".join([*names, *numbers, limits]) + " |")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
