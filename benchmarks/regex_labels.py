"""Throughput of the rule-based labellers against the seed's row-wise pandas labelling, side by side in one process.

    python benchmarks/regex_labels.py [--mb 50] [--repeats 1] [--chunk 2000]

Notes are public MTSamples reports and E3C case reports where $CLINICAL_PUBLIC_DATA has them (else filler sentences),
mixed and repeated; about 35 % of the notes get sentences with terms, 1 % are adversarial or non-ASCII. The seed's rule is
written anew here from its description: one compiled regex per concept, searched note by note through
`pandas.apply(pd.Series)`. Printed: MB/s, ratio to the seed, labels that differ (must be 0 for the seed-compatible
labeller; the assertion engine answers another question, its differences are for information), and peak memory by chunk.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import hashlib
import random
import re
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_assets.labels.regex_labels import label_notes, label_notes_seed
from clinical_assets.storage.contracts import SECTIONS
from clinical_assets.study.load import load_study

ROOT = Path(__file__).resolve().parents[1]

# --- the seed, anew ---------------------------------------------------------------------------------------------------

_CML = "chronic (?:myelogenous|myeloid) leukemia"
SEED_PATTERNS = {
    "imatinib_mentioned": ["imatinib", "gleevec", "sti571"],
    "related_drugs_mentioned": [
        "dasatinib", "sprycel", "nilotinib", "tasigna", "bosutinib", "bosulif", "ponatinib", "iclusig",
    ],
    "cml_diagnosed": [_CML, "cml"],
    "aml_diagnosed": ["acute (?:myelogenous|myeloid) leukemia", "aml"],
    "blast_phase_cml": [f"blast[- ]?(?:phase|crisis) (?:cml|{_CML})"],
    "bmt_history": [
        "bone marrow transplant", "hematopoietic stem cell transplant", "stem cell transplant", "sct", "bmt", "hsct",
    ],
    "acute_phase_cml": [f"acute[- ]?phase (?:cml|{_CML})"],
}  # fmt: skip
SEED_REGEX = {name: r"\b(?:" + "|".join(terms) + r")\b" for name, terms in SEED_PATTERNS.items()}
SEED_CUES = r"\b(?:no|denies|without|not on|never received|negative for|no history of)\b"


def seed_label(note: str) -> dict[str, bool]:
    """The seed's rule for one note."""
    out = {}
    for name, pattern in SEED_REGEX.items():
        kept = 0
        for match in re.finditer(pattern, note, re.IGNORECASE):
            before = note[max(0, match.start() - 50) : match.start()]
            if not re.search(SEED_CUES, before, re.IGNORECASE):
                kept += 1
        out[name] = kept > 0
    return out


# --- notes ------------------------------------------------------------------------------------------------------------

_TERM_SENTENCES = """Chronic myeloid leukemia diagnosed in 2014, on imatinib 400 mg daily.
Patient with CML, chronic phase, in major molecular response (MMR) on dasatinib.
No evidence of AML on marrow examination.
Denies prior bone marrow transplant.
Status post allogeneic stem cell transplant in 2012 with a sibling donor.
She was switched from Gleevec to nilotinib because of edema.
Blast crisis CML was ruled out by flow cytometry.
Family history: father with chronic myelogenous leukemia.
Candidate for HSCT if she progresses on ponatinib.
He has acute myeloid leukemia (AML) evolving from MDS.
Acute-phase CML was considered; accelerated phase CML is less likely.
BMT consult requested. Never received STI571.
Blast-phase chronic myeloid leukemia treated with Tasigna.
CMML, not CML. No fever. Continue imatinib.""".splitlines()
_ADVERSARIAL = [
    "casi\u017fno \u0131mat\u0131n\u0131b IMAT\u0130N\u0130B \u212ano CML\u0301 c\u00e1ncer", "no" * 40 + " cml cml cml no cml", "\U0001f600cml\U0001f600 aml_ _bmt bmt-cml",
    "bla\u017ft-cri\u017fi\u017f cml; blast crisis  cml; blastphase cml", "\u00e9tat: leuc\u00e9mie, CML\u00e9 \u00e9CML sct\u0660 \u0660bmt", "STI571sti571 sti571\u2019s ST\u0130571",
]  # fmt: skip
_FILLER = """The patient is a pleasant adult who returns for routine follow up and feels well today.
Blood pressure 128/76, pulse 72, temperature 98.4. Lungs are clear to auscultation bilaterally.
Abdomen is soft and nontender without organomegaly. Complete blood count was reviewed and is stable.
We will continue the current regimen and see the patient again in three months.
There was no evidence of infection, and the wound edges were clean, dry and intact.""".splitlines()


def base_texts() -> tuple[str, list[str]]:
    """Return (where the texts come from, texts)."""
    folder = Path(os.environ.get("CLINICAL_PUBLIC_DATA", ROOT.parent / "shared" / "data")) / "notes"
    out: list[str] = []
    for name, column in (("mtsamples_dev.parquet", "transcription"), ("e3c_en_layer3_ccby_dev.parquet", "text")):
        if (folder / name).exists():
            out += [text for text in pq.read_table(folder / name, columns=[column])[column].to_pylist() if text]
    if out:
        return "MTSamples and E3C", out
    rng = random.Random(1)
    return "filler sentences", [" ".join(rng.choices(_FILLER, k=rng.randint(8, 60))) for _ in range(3_000)]


def make_notes(megabytes: float, seed: int = 7) -> tuple[str, pa.Table]:
    """Return (source, notes) of about `megabytes` (10^6 bytes of UTF-8)."""
    rng = random.Random(seed)
    source, base = base_texts()
    # texts that name a concept of themselves are kept for the third of notes with terms
    named = re.compile("|".join(SEED_REGEX.values()), re.IGNORECASE)
    plain = [text for text in base if not named.search(text)]
    own = [text for text in base if named.search(text)] or plain
    texts, size = [], 0
    while size < megabytes * 1e6:
        draw = rng.random()
        text = rng.choice(own) if draw < 0.05 else rng.choice(plain)
        while len(text) < 3_500 and rng.random() < 0.75:
            text += "\n\n" + rng.choice(plain)
        if 0.05 <= draw < 0.35:
            lines = text.split(". ")
            for _ in range(rng.randint(1, 6)):
                lines.insert(rng.randrange(len(lines) + 1), rng.choice(_TERM_SENTENCES).rstrip("."))
            text = ". ".join(lines)
        elif draw < 0.36:
            at = rng.randrange(len(text))
            text = text[:at] + " " + rng.choice(_ADVERSARIAL) + " " + rng.choice(_TERM_SENTENCES) + text[at:]
        texts.append(text)
        size += len(text.encode())
    n = len(texts)
    table = pa.table(
        {
            "note_id": pa.array(range(n), pa.int64()),
            "person_id": pa.array(range(n), pa.int64()),
            "text": pa.array(texts, pa.large_string()),
            "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
            "status": ["usable"] * n,
            "batch": ["bench"] * n,
        }
    )
    return source, table


def peak_mb() -> float:
    """Return the peak resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return (best wall seconds, result)."""
    best, result = float("inf"), None
    for _ in range(repeats):
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
    return best, result


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=float, default=50.0)
    parser.add_argument("--repeats", type=int, default=1, help="best of so many runs, for each method")
    parser.add_argument("--chunk", type=int, default=2_000, help="notes a chunk")
    arguments = parser.parse_args()
    import pandas as pd

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    study = load_study()
    source, notes = make_notes(arguments.mb)
    texts = notes["text"].to_pylist()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    stamp = {"run_id": "bench", "labelled_at": datetime.now(UTC)}
    no_sections = SECTIONS.empty_table()
    chunk = arguments.chunk

    def by_chunk(label: Callable[[pa.Table], pa.Table]) -> pa.Table:
        return pa.concat_tables(label(notes.slice(at, chunk)) for at in range(0, notes.num_rows, chunk))

    # compile outside the clock, for both sides: re caches its patterns, we ours
    seed_label("x")
    label_notes(notes.slice(0, 1), no_sections, study, **stamp)
    label_notes_seed(notes.slice(0, 1), study, **stamp)

    print(f"{megabytes:.1f} MB, {notes.num_rows} notes from {source}; one thread, chunks of {chunk} notes")
    memory = [("before labelling", peak_mb())]
    rows = []
    seconds_compatible, compatible = timed(
        lambda: by_chunk(lambda part: label_notes_seed(part, study, **stamp)), arguments.repeats
    )
    memory.append(("after seed-compatible", peak_mb()))
    seconds_engine, engine = timed(
        lambda: by_chunk(lambda part: label_notes(part, no_sections, study, **stamp)), arguments.repeats
    )
    memory.append(("after assertion engine", peak_mb()))
    frame = pd.DataFrame({"note_text": texts})
    seconds_seed, seed = timed(
        lambda: frame["note_text"].apply(lambda note: pd.Series(seed_label(str(note)))), arguments.repeats
    )
    memory.append(("after the seed's pandas", peak_mb()))

    def matrix(table: pa.Table) -> pd.DataFrame:
        names = [field.name for field in study.fields]
        values = table["value"].to_pandas().to_numpy().reshape(-1, len(names))
        return pd.DataFrame(values, columns=names)[list(SEED_REGEX)].astype(bool)

    seed = seed[list(SEED_REGEX)].astype(bool).reset_index(drop=True)
    with_term = len(set(compatible.filter(compatible["mentioned"])["note_id"].to_pylist()))
    print(
        f"{with_term / notes.num_rows:.0%} of notes hold a seed term; {int(seed.to_numpy().sum())} seed labels are true"
    )
    for name, seconds, table in (
        ("seed: pandas.apply + re", seconds_seed, None),
        ("(b) seed-compatible", seconds_compatible, compatible),
        ("(c) assertion engine", seconds_engine, engine),
    ):
        differ = 0 if table is None else int((matrix(table) != seed).to_numpy().sum())
        rows.append((name, seconds, megabytes / seconds, seconds_seed / seconds, differ))
    print(f"{'method':<26}{'seconds':>9}{'MB/s':>9}{'x seed':>8}{'labels differing':>18}")
    for name, seconds, speed, ratio, differ in rows:
        print(f"{name:<26}{seconds:>9.2f}{speed:>9.1f}{ratio:>8.1f}{differ:>18}")
    print("peak RSS, MB: " + "; ".join(f"{name} {value:.0f}" for name, value in memory))
    print(
        "label differences of (c) are intended: it mends the seed's gaps and negation, and its mention fields ignore cues"
    )


if __name__ == "__main__":
    main()
