"""Dagster assets of the corpora: what landed, the model trained on it, how good every extractor is on it, what it consists of."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from clinical_assets.entities.batch import model_errors
from clinical_assets.entities.corpora.annotated import CorpusError
from clinical_assets.entities.corpora.evaluation import evaluate
from clinical_assets.entities.corpora.figures import balance_figure
from clinical_assets.entities.corpora.profile import profile_rows
from clinical_assets.entities.corpora.splits import corpus_of_path
from clinical_assets.entities.corpora.store import CORPUS_TABLES, read_placed, store_corpora
from clinical_assets.entities.corpora.training import gather, read_background, settings_for, train_and_keep
from clinical_assets.entities.corpora.vocabulary import vocabulary_names
from clinical_assets.entities.lister import studys_lister
from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.tagger_store import TaggerError
from clinical_assets.notes.errors import UnreadableBatch
from clinical_assets.privacy import withhold_messages
from clinical_assets.statistics.plots import markdown_image
from clinical_assets.storage.entity_contracts import CORPUS_PROFILE, EXTRACTION_ERRORS, EXTRACTION_SCORES
from clinical_assets.storage.lake import ContractError
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.warehouse import WarehouseResource

__all__ = ["CORPUS_KEYS", "ENTITY_MODEL_KEYS", "NER_MODEL_KEY", "PROFILE_KEY", "SCORE_KEYS", "build_corpus_assets"]

_COMMON: Mapping[str, Any] = {"group_name": "entities", "owners": ["team:clinical-nlp"]}
_BY_HAND = {"clinical/automation": "manual"}
_FED = {"clinical/automation": "when_fed"}
_SAFE = (ContractError, CorpusError, OSError, TaggerError, UnreadableBatch)
MENTION_SCORES = "mentions"  # batch of the score tables that is written here; relations write another
_WHAT = {
    "entities/corpus_documents": "Annotated documents of landing/corpora, with their split (lake only). One row per corpus and document. "
    "Read by the entity model and its evaluation.",
    "entities/corpus_mentions": "Diseases and chemicals that annotators marked. One row per document and mention, without overlaps.",
    "entities/corpus_relations": "Drugs that a document says induce a disease. One row per document, chemical code and disease code.",
    "entities/corpus_rejects": "What was set aside of the corpora, and why. One row per line, document or file. Read by people.",
}
CORPUS_KEYS = [dg.AssetKey(table.split("/")) for table in _WHAT]
NER_MODEL_KEY, PROFILE_KEY = dg.AssetKey(["entities", "ner_model"]), dg.AssetKey(["entities", "corpus_profile"])
SCORE_KEYS = [dg.AssetKey(["entities", name]) for name in ("extraction_scores", "extraction_errors")]
ENTITY_MODEL_KEYS = [*CORPUS_KEYS, NER_MODEL_KEY, *SCORE_KEYS, PROFILE_KEY]


def build_corpus_assets() -> list[dg.AssetsDefinition]:
    """Return the assets."""
    return [land_corpora, ner_model, score_extractors, corpus_profile]


@dg.multi_asset(
    name="land_corpora",
    specs=[
        dg.AssetSpec(
            table.split("/"),
            kinds={"python", "parquet"},
            code_version="1",
            tags=_BY_HAND,
            description=description,
            **_COMMON,
        )
        for table, description in _WHAT.items()
    ],
)
def land_corpora(lake: LakeResource, deployment: DeploymentResource) -> Iterator[dg.MaterializeResult]:
    """Read landing/corpora (PubTator, JSON lines); unchanged files are not read again."""
    with withhold_messages(*_SAFE):
        kept = store_corpora(lake.open(), deployment.settings().landing / "corpora")
    for table in CORPUS_TABLES:
        written = kept.written[table]
        yield dg.MaterializeResult(
            asset_key=table.split("/"),
            data_version=dg.DataVersion(written.digest),
            metadata={"dagster/row_count": written.n_rows, "n_files": kept.n_files, "read_anew": kept.read_anew},
        )


@dg.asset(
    key=NER_MODEL_KEY,
    deps=[*CORPUS_KEYS[:2], dg.AssetKey(["embeddings", "terminology"]), dg.AssetKey(["omop", "concept"])],
    kinds={"python", "spacy"},
    code_version="1",
    tags=_BY_HAND,
    **_COMMON,
)
def ner_model(
    context: dg.AssetExecutionContext, lake: LakeResource, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """The offline model that finds diseases and chemicals, trained on the train splits: no rows, a folder of models/entities_spacy.

    Minutes on a corpus of 500 abstracts; stopped, it resumes at the stage that was not finished. Read by entities/mentions.
    """
    store, settings = lake.open(), deployment.settings()
    terms, wanted = store.read_all("embeddings/terminology"), deployment.load_study().entities
    with withhold_messages(*_SAFE):
        if settings.warehouse.exists():
            with warehouse.reader().get_connection() as connection:
                names = list(vocabulary_names(connection, terms))
        else:
            names = list(vocabulary_names(None, terms))
        given = gather(read_placed(store), names, wanted.train_on)
        background = list(read_background(settings.landing / "corpora"))
        chosen = settings_for(given.documents, with_network=wanted.wide_network)
        trained = train_and_keep(settings.models, given, background, chosen, context.log.info)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(trained.digest),
        metadata={"model_sha": trained.digest, "n_names": len(names), "told": dg.MetadataValue.json(trained.told)},
    )


@dg.multi_asset(
    name="score_extractors",
    pool=GPU_POOL,  # a language model is judged where one reads the notes
    specs=[
        dg.AssetSpec(
            key,
            deps=[*CORPUS_KEYS[:2], NER_MODEL_KEY],
            kinds={"python", "parquet"},
            code_version="1",
            tags=_FED,
            description=what,
            **_COMMON,
        )
        for key, what in zip(
            SCORE_KEYS,
            (
                "How good extractors are on dev and test of the corpora, baseline beside. One row per corpus, split, extractor, type, "
                "matching and average. Read by entities.extractor_scores.",
                "What kinds of mistakes they make. One row per corpus, split, extractor, type and kind. Read by entities.extractor_errors.",
            ),
            strict=True,
        )
    ],
)
def score_extractors(
    context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
) -> Iterator[dg.MaterializeResult]:
    """Let the trained model, the study's language model and names of each train split extract from what they did not see; judge them."""
    store, settings, log = lake.open(), deployment.settings(), context.log.info
    with withhold_messages(*_SAFE, *model_errors()), studys_lister(deployment.load_study(), settings, log) as lister:
        extractor = load_spacy_extractor(settings.models)
        scores, errors = evaluate(read_placed(store), [extractor, *([lister] if lister else [])], log)
        tables = ((scores, EXTRACTION_SCORES), (errors, EXTRACTION_ERRORS))
        for key, (rows, schema) in zip(SCORE_KEYS, tables, strict=True):
            written = store.write("/".join(key.path), rows, schema, batch=MENTION_SCORES)
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(written.digest),
                metadata={"dagster/row_count": written.n_rows, "model_sha": extractor.model_revision},
            )


@dg.asset(key=PROFILE_KEY, deps=CORPUS_KEYS, kinds={"python", "parquet"}, code_version="1", tags=_FED, **_COMMON)
def corpus_profile(lake: LakeResource) -> dg.MaterializeResult:
    """What the corpora consist of: one row per corpus, split, measure, type and code. Feeds nothing; read by people."""
    store = lake.open()
    with withhold_messages(*_SAFE):
        rejects = store.read_all("entities/corpus_rejects", ["source_file", "reason"]).to_pylist()
        rows = profile_rows(read_placed(store), ((corpus_of_path(r["source_file"]), r["reason"]) for r in rejects))
        written = store.write("entities/corpus_profile", rows, CORPUS_PROFILE)
        figure = balance_figure(rows)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(written.digest),
        metadata={
            "dagster/row_count": written.n_rows,
            "balance": dg.MetadataValue.md(markdown_image(figure, "documents and mentions by corpus and split")),
        },
    )
