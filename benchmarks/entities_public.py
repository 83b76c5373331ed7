"""The offline extractor on public corpora, with intervals, beside the names of the train split and published results.

    python benchmarks/entities_public.py [--public ../shared/data] [--work DIR] [--corpora bc5cdr ncbi_disease] [--no-network] [--no-background]

Trains on the train split of each corpus and reads its dev split once. What else it is told: word classes from public texts without
annotations, names from ICD titles and from the train splits of the other corpora (articles of dev are left out of those).
Research corpora of abstracts: the numbers say little about clinical notes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

CORPORA = {
    "bc5cdr": ("CDR_TrainingSet.PubTator.txt", "CDR_DevelopmentSet.PubTator.txt"),
    "ncbi_disease": ("NCBItrainset_corpus.txt", "NCBIdevelopset_corpus.txt"),
}
# Published strict F1 on the test sets with transformers pretrained on biomedical text, trained on train and dev; our numbers are dev.
PUBLISHED = {("bc5cdr", "chemical"): 0.93, ("bc5cdr", "disease"): 0.87, ("ncbi_disease", "disease"): 0.90}
TARGETS = {("bc5cdr", "chemical"): 0.88, ("bc5cdr", "disease"): 0.80, ("ncbi_disease", "disease"): 0.80}


def land(public: Path, folder: Path) -> None:
    """Lay the corpora, the drug events as names, and the background texts into a folder as they would be landed."""
    judged = set()
    for corpus, files in CORPORA.items():
        (folder / corpus).mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copyfile(public / "ner_re" / corpus / name, folder / corpus / name)
        judged |= set(
            re.findall(r"^(\d+)\|t\|", (folder / corpus / files[1]).read_text(encoding="utf-8"), re.MULTILINE)
        )
    rows = [
        json.loads(line) for line in (public / "ner_re/phee_v2/train.json").read_text(encoding="utf-8").splitlines()
    ]
    events = [row for row in rows if row["id"].split("_")[0] not in judged]
    lines = [json.dumps(_event_document(row)) for row in events]
    (folder / "phee_train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with gzip.open(folder / "public.background.txt.gz", "wt", encoding="utf-8") as file:
        file.writelines(" ".join(text.split()) + "\n" for text in _background(public))


def _event_document(row: dict[str, Any]) -> dict[str, Any]:
    mentions = set()
    for event in (event for annotation in row["annotations"] for event in annotation["events"]):
        for part, kind in (((event.get("Treatment") or {}).get("Drug"), "chemical"), (event.get("Effect"), "disease")):
            for words, starts in zip((part or {}).get("text", []), (part or {}).get("start", []), strict=True):
                mentions |= {(start, start + len(word), kind) for word, start in zip(words, starts, strict=True)}
    listed = [{"start": start, "end": end, "entity_type": kind} for start, end, kind in sorted(mentions)]
    return {"doc_id": f"phee_{row['id']}", "text": row["context"], "split": "train", "mentions": listed}


def _background(public: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    for name, columns in (
        ("notes/e3c_en_layer3_ccby_dev", ["text"]),
        ("notes/mtsamples_dev", ["transcription"]),
        ("summarization/ctgov_dev", ["description", "brief_summary"]),
    ):
        for row in pq.read_table(public / f"{name}.parquet", columns=columns).to_pylist():
            yield " ".join(str(value) for value in row.values() if value)


def vocabulary(public: Path) -> list[tuple[str, str]]:
    """Return (type, name) of the ICD titles."""
    with gzip.open(public / "codes/d_icd_diagnoses.csv.gz", "rt", encoding="utf-8") as file:
        return [("disease", row["long_title"]) for row in csv.DictReader(file)]


def main() -> None:
    """Train, judge, print."""
    from clinical_assets.entities.corpora.evaluation import evaluate
    from clinical_assets.entities.corpora.landed import read_corpora
    from clinical_assets.entities.corpora.training import gather, read_background, settings_for, train_and_keep
    from clinical_assets.entities.spacy_extractor import load_spacy_extractor

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=None, help="keeps models and stages: run again, it resumes")
    parser.add_argument("--corpora", nargs="+", default=list(CORPORA), choices=list(CORPORA))
    parser.add_argument("--no-network", action="store_true", help="the random field alone: a fraction of the time")
    parser.add_argument(
        "--no-background", action="store_true", help="word classes from the corpus's own train split alone"
    )
    wanted = parser.parse_args()
    work = wanted.work or Path(tempfile.mkdtemp(prefix="entities_public."))
    folder = work / "corpora"
    land(wanted.public, folder)
    placed, names = read_corpora(folder).documents, vocabulary(wanted.public)
    background = [] if wanted.no_background else list(read_background(folder))
    for corpus in wanted.corpora:
        given = gather(placed, names, (corpus,))
        settings = settings_for(given.documents)
        settings = replace(settings, network=None) if wanted.no_network else settings
        started = time.process_time()
        trained = train_and_keep(work / corpus, given, background, settings, lambda line: print("  ", line, flush=True))
        spent = time.process_time() - started
        extractor = load_spacy_extractor(work / corpus)
        scores, errors = evaluate([p for p in placed if p.corpus == corpus], [extractor], lambda _: None)
        texts = [p.document.text for p in placed if (p.corpus, p.split) == (corpus, "dev")]
        started = time.process_time()
        for _ in extractor.extract(texts):
            pass
        each = (time.process_time() - started) / len(texts) * 1_000
        print(
            f"\n{corpus}: {len(given.documents)} documents, {spent:,.0f} CPU-s of training, {each:.1f} CPU-ms a document"
        )
        print(f"chosen without dev: {trained.told['choice']}, F1 held back {trained.told['held_back_f1']}")
        show(corpus, scores.to_pylist(), errors.to_pylist())


def show(corpus: str, scores: list[dict[str, Any]], errors: list[dict[str, Any]]) -> None:
    """Print the tables of one corpus."""
    below: list[str] = []
    print(
        "| extractor | type | matching | average | P | R | F1 | 95 % | target | published |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for row in scores:
        said = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        key = (corpus, row["entity_type"])
        judged = row["matching"] == "strict" and row["average"] == "micro"
        print(
            f"| {row['extractor']} | {row['entity_type']} | {row['matching']} | {row['average']} | {' | '.join(said)} | "
            f"{row['f1_low']:.3f} to {row['f1_high']:.3f} | {TARGETS.get(key, '') if judged else ''} | "
            f"{PUBLISHED.get(key, '') if judged else ''} |"
        )
        if judged and row["extractor"] == "spacy" and key in PUBLISHED:
            print(
                f"<!-- {PUBLISHED[key] - row['f1']:+.3f} to published transformers on the test set, trained on train and dev -->"
            )
    print(
        f"\nBelow published transformers (test set, trained on train and dev; ours dev, trained on train): {', '.join(below)}"
    )
    counts = {(row["extractor"], row["entity_type"], row["error"]): row["n"] for row in errors}
    print(
        "\nErrors: "
        + ", ".join(f"{kind} {error} {n:,}" for (who, kind, error), n in sorted(counts.items()) if who == "spacy")
        + "\n"
    )


if __name__ == "__main__":
    main()
