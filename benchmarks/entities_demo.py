"""The demo's own models on notes of the demo hospital, whose author knows what they name and which drug they blame for what.

    python benchmarks/entities_demo.py [--every 12]

The models are trained on the demo's synthetic corpus (other persons, the same author), without names of a vocabulary; mentions are judged
strictly, relations with the author's mentions. This says whether the demo works, and nothing about clinical notes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from clinical_assets.entities.corpora.store import read_placed, store_corpora
from clinical_assets.entities.corpora.training import gather, settings_for, train_and_keep
from clinical_assets.entities.relations.documents import Mention, read_document
from clinical_assets.entities.relations.scoring import train_on_corpora
from clinical_assets.entities.scoring import counts_of, score_sets
from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.windows import extract_texts
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.entity_contracts import ENTITY_TYPES
from clinical_assets.storage.lake import Lake
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.entity_corpus import write_corpus
from clinical_assets.synthetic.hospital import build_person
from clinical_assets.synthetic.note_text import Finished
from clinical_assets.synthetic.note_writer import write_notes


def notes_of(persons: int, every: int) -> list[Finished]:
    config = HospitalConfig(n_persons=persons)
    written = (note.gold for i in range(persons) for note in write_notes(build_person(config, i), config.seed))
    return [gold for gold in written if gold is not None and not gold.text.startswith("<html>")][::every]


def shown(what: str, gold: list[set], found: list[set]) -> None:
    one = score_sets(counts_of(gold, found))
    print(
        f"| {what} | {one.n_gold:,} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} ({one.f1_low:.3f} to {one.f1_high:.3f}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=12, help="Judge every so many-th note")
    notes = notes_of(1_500, parser.parse_args().every)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_corpus(folder / "landing")
        lake = Lake(folder / "lake")
        for table, schema in LAKE_TABLES.items():
            lake.declare(table, schema)
        store_corpora(lake, folder / "landing" / "corpora")
        given = gather(read_placed(lake), [], [])
        train_and_keep(folder / "models", given, [], settings_for(given.documents), lambda line: None)
        extractor, relations = load_spacy_extractor(folder / "models"), train_on_corpora(lake)
        started = time.process_time()
        said = list(extract_texts(extractor, [note.text for note in notes]))
        spent = 1_000 * (time.process_time() - started) / len(notes)
    print(
        f"{len(given.documents)} documents to train on; {len(notes):,} notes, {spent:.1f} ms of processor time a note\n"
    )
    print("| what | gold | precision | recall | F1 (95 %) |\n|---|---|---|---|---|")
    for kind in ENTITY_TYPES:
        gold = [{(e.start, e.end) for e in note.entities if e.kind.lower() == kind} for note in notes]
        shown(kind, gold, [{(f.start, f.end) for f in one.found if f.entity_type == kind} for one in said])
    documents = [
        read_document(
            str(i),
            note.text,
            [Mention(e.start, e.end, e.kind.lower(), (e.key,)) for e in sorted(note.entities, key=lambda e: e.start)],
        )
        for i, note in enumerate(notes)
    ]
    held = [
        {pair for pair, p in found.items() if p >= relations.threshold} for found in relations.probabilities(documents)
    ]
    shown("drug blamed for disease", [set(note.harms) for note in notes], held)
    pairs = [len(document.pairs()) for document in documents]
    print(f"\n{sum(pairs):,} pairs of a drug and a disease in these notes")


if __name__ == "__main__":
    main()
