"""Throughput of the rule-based labellers against the seed's way, on the same notes in the same process, one thread.

Competitors: (a) the seed's way written anew: ``pandas.apply`` row by row, one ``re.finditer`` per concept, a negation search in the 50
characters before each hit; (b) our seed-compatible labeller, whose labels must be identical to (a); (c) the assertion engine.
Notes: public texts (MTSamples, E3C) where present, else filler; 35 % get sentences with the study's terms, 1 % adversarial Unicode.

    .venv/bin/python benchmarks/regex_labels.py [--mb 50] [--repeats 3]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import resource
import statistics
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clinical_assets.labels.regex_labels import label_notes, label_notes_seed
from clinical_assets.notes.sections import sections_table
from clinical_assets.storage.contracts import NOTES
from clinical_assets.study.load import load_study

CHUNK = 2_000  # notes, as the asset reads them

# The seed's rule, from its description: concepts, word boundaries, case folded, and cues in the 50 characters before a hit.
SEED = {
    "cml_diagnosed": ["chronic (?:myelogenous|myeloid) leukemia", "cml"],
    "aml_diagnosed": ["acute (?:myelogenous|myeloid) leukemia", "aml"],
    "blast_phase_cml": ["blast[- ]?(?:phase|crisis) (?:cml|chronic (?:myelogenous|myeloid) leukemia)"],
    "acute_phase_cml": ["acute[- ]?phase (?:cml|chronic (?:myelogenous|myeloid) leukemia)"],
    "bmt_history": ["bone marrow transplant", "hematopoietic stem cell transplant", "stem cell transplant", "sct", "bmt", "hsct"],
    "imatinib_mentioned": ["imatinib", "gleevec", "sti571"],
    "related_drugs_mentioned": ["dasatinib", "sprycel", "nilotinib", "tasigna", "bosutinib", "bosulif", "ponatinib", "iclusig"],
}
CUES = r"\b(?:no|denies|without|not on|never received|negative for|no history of)\b"

SENTENCES = (
    "CML in chronic phase, on imatinib 400 mg daily. ", "No history of bone marrow transplant. ", "Denies AML. ", "Started dasatinib after Gleevec failed. ",
    "chronic myeloid leukemia diagnosed in 2011. ", "s/p allogeneic stem cell transplant in 2015. ", "without evidence of blast crisis CML. ",
    "Never received nilotinib. ", "Family history of acute myelogenous leukemia. ", "acute phase CML was considered. ", "blast-phase chronic myelogenous leukemia. ",
)  # fmt: skip
ODD = ("CM\u0131L no\u017f imatin\u0130b \u212aCML \ufb01 ", "IMATINIB\u200bCML\u0301 ", "caſino CML ", "ſct BMT_ _AML ")


def corpus() -> list[str]:
    root = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "notes"
    texts: list[str] = []
    for file, column in (("mtsamples_dev.parquet", "transcription"), ("e3c_en_layer3_ccby_dev.parquet", "text")):
        if (root / file).exists():
            texts += [text for text in pq.read_table(root / file, columns=[column])[column].to_pylist() if text]
    return texts or ["The patient was seen in clinic today for follow-up of hypertension. " * 40]


def build(megabytes: float) -> list[str]:
    rng, base, notes, size = random.Random(7), corpus(), [], 0
    while size < megabytes * 1e6:
        text = rng.choice(base)
        if rng.random() < 0.35:
            for _ in range(rng.randint(1, 4)):
                at = rng.randint(0, len(text))
                text = text[:at] + " " + rng.choice(SENTENCES) + text[at:]
        if rng.random() < 0.01:
            text += rng.choice(ODD) * 3
        notes.append(text)
        size += len(text.encode())
    return notes


def seed_way(frame: pd.DataFrame) -> pd.DataFrame:
    patterns = {name: re.compile(r"\b(?:" + "|".join(terms) + r")\b", re.IGNORECASE) for name, terms in SEED.items()}
    cue = re.compile(CUES, re.IGNORECASE)

    def label(text: str) -> pd.Series:
        found = {}
        for name, pattern in patterns.items():
            found[name] = False
            for match in pattern.finditer(text):
                if not cue.search(text[max(0, match.start() - 50) : match.start()]):
                    found[name] = True
        return pd.Series(found)

    return frame["text"].apply(label)


def table(texts: list[str]) -> pa.Table:
    now = datetime.now(UTC)
    size = len(texts)
    columns = {
        "note_id": list(range(size)), "person_id": [1] * size, "note_date": [date(2020, 1, 1)] * size, "text": texts,
        "text_sha256": [hashlib.sha256(t.encode()).hexdigest() for t in texts], "n_chars": [len(t) for t in texts], "status": ["usable"] * size,
        "batch": ["b"] * size, "source_file_sha256": [""] * size, "ingested_at": [now] * size,
    }  # fmt: skip
    return pa.table([pa.array(columns.get(f.name, [None] * size), f.type) for f in NOTES], schema=NOTES)


def chunks(notes: pa.Table):
    return (notes.slice(start, CHUNK) for start in range(0, notes.num_rows, CHUNK))


def wide(labels: pa.Table) -> pd.DataFrame:
    frame = labels.select(["note_id", "field", "value"]).to_pandas()
    return frame[frame.field.isin(list(SEED))].pivot(index="note_id", columns="field", values="value")[list(SEED)].astype(bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=float, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    pa.set_cpu_count(1)
    texts = build(given.mb)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    notes, study, now = table(texts), load_study(), datetime.now(UTC)
    started = time.perf_counter()
    sections = sections_table(notes)
    sectioned = time.perf_counter() - started
    frame = pd.DataFrame({"text": texts})
    spent: dict[str, list[float]] = {"seed": [], "regex_seed": [], "regex": []}
    made: dict[str, object] = {}
    runs = {
        "seed": lambda: seed_way(frame),
        "regex_seed": lambda: pa.concat_tables([label_notes_seed(c, study, run_id="", labelled_at=now) for c in chunks(notes)]),
        "regex": lambda: pa.concat_tables([label_notes(c, sections, study, run_id="", labelled_at=now) for c in chunks(notes)]),
    }
    label_notes_seed(notes.slice(0, 10), study, run_id="", labelled_at=now)  # compile outside the clock, as a service would
    label_notes(notes.slice(0, 10), sections, study, run_id="", labelled_at=now)
    for _ in range(given.repeats):
        for name, go in runs.items():
            started = time.perf_counter()
            made[name] = go()
            spent[name].append(time.perf_counter() - started)
    seconds = {name: statistics.median(values) for name, values in spent.items()}
    different = int((wide(made["regex_seed"]).to_numpy() != made["seed"][list(SEED)].to_numpy()).sum())
    print(f"{megabytes:.1f} MB, {len(texts):,} notes, one thread, median of {given.repeats}; sections (found once at intake): {megabytes / sectioned:.0f} MB/s")
    print(f"{'labeller':<34}{'s':>8}{'MB/s':>8}{'x seed':>8}  labels different from the seed's")
    for name, title in (("seed", "(a) seed's way: pandas.apply + re"), ("regex_seed", "(b) regex_seed"), ("regex", "(c) regex, assertion engine")):
        said = {"regex_seed": f"{different} of {len(texts) * len(SEED):,}"}.get(name, "")
        print(f"{title:<34}{seconds[name]:>8.2f}{megabytes / seconds[name]:>8.1f}{seconds['seed'] / seconds[name]:>8.1f}  {said}")
    print(f"peak resident memory of the whole process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB (notes held three times for the comparison)")


if __name__ == "__main__":
    main()
