"""Chemical-induced-disease relations on BC5CDR, train to dev: the model beside co-occurrence, with annotated and with found mentions.

    python benchmarks/relations_public.py [--found default|quick|none]

Features, parameters and threshold were chosen by cross-validation over documents inside the training set; dev is only scored. With found
mentions the tagger is trained on the same training documents first (`quick`: the settings of small corpora; `default`: minutes), and a
found mention has the code that annotators of the training documents gave the same words: what has no such code is lost. Beside it,
`codes_given` takes the annotators' codes where a found mention is exactly theirs: what better linking could give at most.
Speed is that of one core, texts and mentions in memory. Data: CLINICAL_PUBLIC_DATA.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clinical_assets.entities.corpora.store import read_placed, store_corpora
from clinical_assets.entities.corpora.training import gather, settings_for, train_and_keep
from clinical_assets.entities.relations.corpora import annotated_documents
from clinical_assets.entities.relations.documents import Document, read_document
from clinical_assets.entities.relations.evaluation import CodeBook, found_documents, relation_scores
from clinical_assets.entities.relations.scoring import train_on_corpora
from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake

DATA = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def with_given_codes(found: Sequence[Document], gold: Sequence[Document]) -> list[Document]:
    """Return found mentions with the annotators' codes where they are exactly theirs, none elsewhere."""
    out = []
    for document, annotated in zip(found, gold, strict=True):
        keys = {one.mention[:3]: one.mention.keys for one in annotated.mentions}
        mentions = [one.mention._replace(keys=keys.get(one.mention[:3], ())) for one in document.mentions]
        out.append(read_document(document.doc_id, document.text, mentions))
    return out


def shown(rows: Sequence[dict[str, Any]], mentions: str) -> None:
    for row in rows:
        numbers = " | ".join(f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
        limits = f"{row['f1_low']:.3f} to {row['f1_high']:.3f}"
        print(f"| {mentions} | {row['extractor']} | {row['average']} | {numbers} | {limits} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--found", choices=("default", "quick", "none"), default="quick")
    found = parser.parse_args().found
    with tempfile.TemporaryDirectory() as scratch:
        run(Path(scratch), found)


def run(scratch: Path, found: str) -> None:
    landing, models, lake = scratch / "corpora", scratch / "models", Lake(scratch / "lake")
    landing.mkdir()
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    for path in sorted((DATA / "ner_re" / "bc5cdr").glob("*.PubTator.txt")):
        (landing / "bc5cdr").mkdir(exist_ok=True)
        shutil.copyfile(path, landing / "bc5cdr" / path.name)
    store_corpora(lake, landing)
    print(f"{datetime.now(UTC):%Y-%m-%d}; processor time on one core")
    began = time.process_time()
    model = train_on_corpora(lake, log=print)
    print(f"trained in {time.process_time() - began:.1f} s")
    (dev,) = annotated_documents(lake, {"dev"})
    began = time.process_time()
    model.probabilities(dev.documents)
    print(
        f"{1000 * (time.process_time() - began) / len(dev.documents):.1f} ms a document ({len(dev.documents)} documents)"
    )
    print("| mentions | who | average | precision | recall | F1 | 95 % |\n|---|---|---|---|---|---|---|")
    shown(list(relation_scores(dev, dev.documents, "relations_gold_entities", model, "")), "annotated")
    if found == "none":
        return
    given = gather(read_placed(lake, ("train",)), [])
    settings = settings_for(given.documents)
    if found == "quick":
        settings = replace(settings, iterations=20, network=None)
    train_and_keep(models, given, [], settings, lambda _: None)
    (train,) = annotated_documents(lake, {"train"})
    documents = found_documents(dev.documents, load_spacy_extractor(models), CodeBook(train.documents))
    shown(list(relation_scores(dev, documents, "relations_found_entities", model, "")), f"found ({found})")
    documents = with_given_codes(documents, dev.documents)
    shown(list(relation_scores(dev, documents, "relations_found_entities", model, "")), f"found ({found}), codes_given")


if __name__ == "__main__":
    main()
