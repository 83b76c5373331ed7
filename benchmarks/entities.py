"""Time of mentions of the demo hospital's notes, part by part, on one core: gazetteer, assertion, abbreviations, links.

python benchmarks/entities.py [n_notes]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from clinical_assets.entities.batch import extract_batch
from clinical_assets.entities.choice import choose_extractor
from clinical_assets.entities.concepts import Concept, ConceptName, Vocabulary, normalised
from clinical_assets.entities.gazetteer import GazetteerExtractor, gazetteer_names
from clinical_assets.entities.linker import Linker
from clinical_assets.entities.windows import extract_texts
from clinical_assets.notes.sections import sections_table
from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from clinical_assets.synthetic import HospitalConfig, build_hospital

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def vocabulary(tables: dict[str, pa.Table]) -> Vocabulary:
    """Return the demo hospital's standard conditions and ingredients."""
    concepts, names = {}, []
    for row in tables["concept"].to_pylist():
        kind = {"Condition": "disease", "Drug": "chemical"}.get(row["domain_id"])
        if kind and row["standard_concept"] == "S" and (kind == "disease" or row["concept_class_id"] == "Ingredient"):
            concepts[row["concept_id"]] = Concept(
                row["concept_id"], row["concept_name"], row["vocabulary_id"], row["concept_code"]
            )
            names.append(ConceptName(kind, row["concept_id"], normalised(row["concept_name"]), 0))
    return Vocabulary(concepts, tuple(sorted(names)))


def main(most: int) -> None:
    """Print a table."""
    hospital = build_hospital(HospitalConfig())
    found = pa.concat_tables(list(hospital.note_batches.values()))
    texts = [text for text in found["note_text"].to_pylist() if text and len(text) > 40][:most]
    names = vocabulary(hospital.omop)
    study = load_study()
    study = study.model_copy(update={"entities": study.entities.model_copy(update={"extractor": "gazetteer"})})
    started = time.process_time()
    extractor = GazetteerExtractor(gazetteer_names(study, names.names))
    built = time.process_time() - started
    started = time.process_time()
    n = sum(len(one.found) for one in extract_texts(extractor, texts))
    matched = time.process_time() - started
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        rows = [
            {
                "note_id": k, "person_id": k, "note_date": date(2020, 1, 1), "text": text, "text_sha256": f"{k:064x}", "n_chars": len(text),
                "status": "usable", "batch": "b", "source_file_sha256": "f", "ingested_at": NOW,
            }
            for k, text in enumerate(texts)
        ]  # fmt: skip
        notes = pa.Table.from_pylist(rows, schema=NOTES)
        lake.write("notes/notes", notes, NOTES, batch="b")
        lake.write("notes/sections", sections_table(notes), SECTIONS, batch="b")
        linker = Linker(names, Path(folder) / "models")
        started = time.process_time()
        linker.link([("disease", "a warm up of the index"), ("chemical", "warmup")])
        opened = time.process_time() - started
        chosen = choose_extractor(study, names, Path(folder) / "models")
        times = []
        for _ in range(2):
            started = time.process_time()
            extract_batch(lake, chosen, linker, study, "b", None, run_id="r", extracted_at=NOW)
            times.append(time.process_time() - started)
    ms = 1_000 / len(texts)
    print(
        f"{len(texts):,} notes of the synthetic demo hospital, {sum(map(len, texts)) / len(texts):,.0f} characters on average, {n:,} mentions, {len(names.names):,} names of concepts"
    )
    print("| step | ms a note |\n|---|---|")
    print(f"| matcher alone | {matched * ms:.3f} |")
    print(f"| all: matcher, abbreviations, assertion, sections, links, both tables written | {times[0] * ms:.3f} |")
    print(f"| the same batch again, nothing to do | {times[1] * ms:.3f} |")
    print(f"\nOnce a run: matcher built {built:.2f} s, libraries and index of names opened {opened:.1f} s of CPU.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)
