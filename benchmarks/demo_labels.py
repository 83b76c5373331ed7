"""How well do the rule-based labellers read the demo hospital, whose author wrote down what each note says?

Prints precision, recall, F1, MCC per field for the assertion engine and the seed's rule, with the prevalence, the majority baseline's accuracy,
and a 95 % bootstrap interval of F1 over persons (1,000 resamples). The notes are synthetic and were written independently of
the rules; the numbers compare labellers, they are not clinical performance.

    .venv/bin/python benchmarks/demo_labels.py [--persons 1500]
"""

from __future__ import annotations

import argparse
import hashlib
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
from sklearn.metrics import matthews_corrcoef, precision_recall_fscore_support

from clinical_assets.labels.regex_labels import label_notes, label_notes_seed
from clinical_assets.notes.sections import sections_table
from clinical_assets.storage.contracts import NOTES
from clinical_assets.study.load import load_study
from clinical_assets.synthetic import HospitalConfig, build_hospital

RESAMPLES = 1_000


def stored(hospital) -> pa.Table:
    now, rows = datetime.now(UTC), []
    for batch, table in hospital.note_batches.items():
        for note in table.select(["note_id", "person_id", "note_text"]).to_pylist():
            text = note["note_text"] or ""
            sha = hashlib.sha256(text.encode()).hexdigest()
            rows.append(
                {
                    "note_id": int(note["note_id"]), "person_id": int(note["person_id"]), "note_date": date(2020, 1, 1), "text": text, "text_sha256": sha,
                    "n_chars": len(text), "status": "usable", "batch": batch, "source_file_sha256": "", "ingested_at": now,
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=NOTES)


def f1(truth: np.ndarray, said: np.ndarray, weight: np.ndarray) -> float:
    both, either = (weight * (truth & said)).sum(), (weight * truth).sum() + (weight * said).sum()
    return float(2 * both / either) if either else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=1500)
    hospital = build_hospital(HospitalConfig(n_persons=parser.parse_args().persons, bad_rows=False))
    gold = hospital.annotations["concept_labels"].to_pandas()[["note_id", "field", "value"]]
    notes, study, now = stored(hospital), load_study(), datetime.now(UTC)
    made = {
        "regex": label_notes(notes, sections_table(notes), study, run_id="", labelled_at=now),
        "regex_seed": label_notes_seed(notes, study, run_id="", labelled_at=now),
    }
    print(
        f"{'labeller':<11}{'field':<25}{'n':>6}{'pos':>6}{'majority':>9}{'P':>7}{'R':>7}{'F1':>7}  {'95 % CI of F1':<16}{'MCC':>6}"
    )
    rng = np.random.default_rng(1)
    for labeller, labels in made.items():
        joined = (
            labels.select(["note_id", "person_id", "field", "value"])
            .to_pandas()
            .merge(gold, on=["note_id", "field"], suffixes=("", "_gold"))
        )
        for field in study.fields:
            part = joined[joined.field == field.name]
            if part.value.isna().all():
                print(
                    f"{labeller:<11}{field.name:<25}{len(part):>6}{part.value_gold.sum():>6}  (the labeller has no such field)"
                )
                continue
            truth, said = part.value_gold.to_numpy(bool), part.value.eq(True).to_numpy()
            precision, recall, score, _ = precision_recall_fscore_support(
                truth, said, average="binary", zero_division=0
            )
            persons, position = np.unique(part.person_id.to_numpy(), return_inverse=True)
            draws = rng.multinomial(len(persons), np.full(len(persons), 1 / len(persons)), size=RESAMPLES)
            low, high = np.nanquantile([f1(truth, said, draw[position]) for draw in draws], [0.025, 0.975])
            majority = max(truth.mean(), 1 - truth.mean())
            print(
                f"{labeller:<11}{field.name:<25}{len(part):>6}{truth.sum():>6}{majority:>9.3f}{precision:>7.3f}{recall:>7.3f}{score:>7.3f}"
                f"  {low:.3f} to {high:.3f}  {matthews_corrcoef(truth, said):>6.3f}"
            )


if __name__ == "__main__":
    main()
