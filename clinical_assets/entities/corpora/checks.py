"""Asset checks of the corpora: gold stands in its text, no article is on two sides, the model is better than a list of names."""

import dagster as dg

from clinical_assets.entities.corpora.assets import CORPUS_KEYS, SCORE_KEYS
from clinical_assets.entities.corpora.profile import leaking_articles
from clinical_assets.entities.corpora.store import read_placed
from clinical_assets.entities.corpora.verdicts import baseline_verdict, n_misplaced
from resources.lake import LakeResource

__all__ = ["build_corpus_checks"]

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def build_corpus_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks."""
    return [every_mention_stands_in_its_document, no_article_is_in_train_and_judged_elsewhere, model_beats_the_names]


@dg.asset_check(asset=CORPUS_KEYS[1], additional_deps=[CORPUS_KEYS[0]], blocking=True)
def every_mention_stands_in_its_document(lake: LakeResource) -> dg.AssetCheckResult:
    """Fail if a mention is of no document, ends outside its text, is empty, or overlaps another one."""
    store = lake.open()
    n = n_misplaced(
        store.read_all("entities/corpus_documents", ["corpus", "doc_id", "text"]),
        store.read_all("entities/corpus_mentions"),
    )
    return dg.AssetCheckResult(passed=n == 0, severity=_ERROR, metadata={"n_misplaced": n})


@dg.asset_check(asset=CORPUS_KEYS[0], additional_deps=CORPUS_KEYS[1:3])
def no_article_is_in_train_and_judged_elsewhere(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn if an article is in the train split of one corpus and in dev or test of another; training leaves it out."""
    shared = leaking_articles(read_placed(lake.open()))
    corpora = sorted({corpus for sides in shared.values() for corpus in sides})
    return dg.AssetCheckResult(
        passed=not shared,
        severity=_WARN,
        metadata={"n_articles": len(shared), "corpora": dg.MetadataValue.json(corpora)},
        description=None
        if not shared
        else "The entity model is not trained on them; relation models must leave them out too.",
    )


@dg.asset_check(asset=SCORE_KEYS[0])
def model_beats_the_names(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn if, on some corpus, the model's strict F1 is not above that of the names of the train split."""
    verdict = baseline_verdict(lake.open().read_all("entities/extraction_scores").to_pylist())
    return dg.AssetCheckResult(
        passed=not verdict.worse, severity=_WARN, metadata={"f1_above_names": dg.MetadataValue.json(verdict.gains)}
    )
