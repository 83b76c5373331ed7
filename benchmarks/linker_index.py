"""nmslib's inverted index (used here) beside its graph (HNSW, scispaCy's choice) for names by character 3-grams, on one core.

    python benchmarks/linker_index.py [n_names]

Names are made of one to four words of the synthetic demo hospital's notes; queries are names with their first three letters lost and two
nonsense words around them. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import random
import sys
import time

import numpy as np

from clinical_assets.synthetic import HospitalConfig, build_hospital

INDEXES = {
    "inverted index, exact": ("simple_invindx", "negdotprod_sparse_fast", {}),
    "HNSW, M 30, efConstruction 200": (
        "hnsw", "cosinesimil_sparse", {"M": 30, "efConstruction": 200, "post": 2, "indexThreadQty": 1},
    ),
}  # fmt: skip


def names_of(n: int) -> list[str]:
    """Return distinct names."""
    batches = build_hospital(HospitalConfig()).note_batches.values()
    words = sorted(
        {
            w.lower()
            for b in batches
            for t in b["note_text"].to_pylist()
            for w in (t or "").split()
            if w.isalpha() and len(w) > 4
        }
    )
    chance = random.Random(0)
    return sorted({" ".join(chance.choice(words) for _ in range(chance.randint(1, 4))) for _ in range(n)})


def main(n: int) -> None:
    """Print a table."""
    import nmslib
    from sklearn.feature_extraction.text import TfidfVectorizer

    names = names_of(n)
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3), dtype=np.float32)
    started = time.process_time()
    held = vectorizer.fit_transform(names)
    print(f"{len(names):,} names, {held.shape[1]:,} 3-grams; TF-IDF took {time.process_time() - started:.2f} s\n")
    asked = vectorizer.transform([f"qq {name[3:]} zz" for name in random.Random(1).sample(names, 500)])
    best = (asked @ held.T).toarray().max(1)
    print("| index | made in s | ms a query | share of queries with the nearest name |\n|---|---|---|---|")
    for label, (method, space, settings) in INDEXES.items():
        index = nmslib.init(method=method, space=space, data_type=nmslib.DataType.SPARSE_VECTOR)
        started = time.process_time()
        index.addDataPointBatch(held)
        index.createIndex(settings, print_progress=False)
        made = time.process_time() - started
        if method == "hnsw":
            index.setQueryTimeParams({"efSearch": 200})
        started = time.process_time()
        found = index.knnQueryBatch(asked, k=20, num_threads=1)
        ms = (time.process_time() - started) / asked.shape[0] * 1_000
        near = np.array([-d[0] if method != "hnsw" else 1 - d[0] for _, d in found])
        print(f"| {label} | {made:.2f} | {ms:.2f} | {np.mean(near >= best - 1e-4):.3f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
