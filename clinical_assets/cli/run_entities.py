"""The part of materializing everything that is about entities: their models, where a corpus has landed, and the knowledge graph."""

from __future__ import annotations

from collections.abc import Callable

from clinical_assets.cli.execution import Execution
from clinical_assets.entities.corpora.landed import corpus_files
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake

__all__ = ["build_graph", "train_entities"]


def train_entities(execution: Execution, settings: Settings, lake: Lake, say: Callable[[str], None]) -> list[str]:
    """Train on the landed corpora and judge; return what failed. No corpus is no failure, and an unchanged one trains nothing."""
    files = corpus_files(settings.landing / "corpora")
    if not files:
        say("entities: no corpus in landing/corpora, so there is no model of diseases and chemicals")
        return []
    ok, seconds = execution.run("train_entity_model")
    if not ok:
        say(f"entities: the model FAILED after {seconds:.1f} s")
        return ["the entity model"]
    rows = lake.read_all(
        "entities/extraction_scores",
        ["corpus", "split", "task", "extractor", "entity_type", "matching", "average", "f1"],
    )
    shown = [
        f"{row['corpus']} {row['split']} {row['extractor']} {row['f1']:.3f}"
        for row in rows.to_pylist()
        if (row["task"], row["entity_type"], row["matching"], row["average"]) == ("mentions", "all", "strict", "micro")
        and row["f1"] is not None
    ]
    say(f"entities: model trained in {seconds:.1f} s; F1 {', '.join(shown) or 'unknown: no dev or test split'}")
    if lake.n_rows("entities/corpus_relations") == 0:
        say("relations: no landed corpus annotates any, so there is no model of them")
        return []
    ok, seconds = execution.run("train_relation_model")
    say(f"relations: model {'trained' if ok else 'FAILED'} in {seconds:.1f} s")
    return [] if ok else ["the relation model"]


def build_graph(execution: Execution, say: Callable[[str], None]) -> list[str]:
    """Count the knowledge graph over all batches; return what failed."""
    ok, seconds = execution.run("build_entity_graph")
    say(f"knowledge graph: {'counted' if ok else 'FAILED'} in {seconds:.1f} s")
    return [] if ok else ["the knowledge graph"]
