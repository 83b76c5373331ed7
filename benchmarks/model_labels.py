"""Throughput of language-model labels against the seed's way, constrained generation and the floor, side by side.

    python benchmarks/model_labels.py [--models FOLDER] [--notes 200] [--long-notes 24] [--repeats 3] [--part NAME]

(1) Demo models (trained into a temporary folder, or found in FOLDER) on held-out synthetic notes; (2) a random Llama of 55 M
parameters on notes of about 950 tokens, for speed alone, with the demo models' tokenizer (each key of the answer is one
token, 25 in all) and with one that splits keys, as large models' tokenizers do (about 100); (3) what the ledger saves.
Competitors run in one process on the same notes, model and dtype, one torch thread, taken in turns; medians over the turns.
The machine may be shared, so speed and ratios are of CPU seconds; wall seconds stand beside them.

The seed's way, written anew: note by note through `generate`, up to 128 new tokens of free text, the model's chat template,
JSON cut out by a regex, nothing cached between notes. A model that was not taught to end its answer writes all 128, so a
second row stops it after as many tokens as the answer has. Constrained generation: llguidance, batches of eight notes of like
length. Floor: the note's tokens alone behind a cached prompt, no answer, no LM head, in the batches that the backend makes.
"""

from __future__ import annotations

import os

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that spin make a shared machine up to twenty times slower
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import contextlib
import copy
import hashlib
import json
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import torch
import transformers
from transformers import AutoTokenizer, DynamicCache

from clinical_assets.labels.demo_models import Order, train_all
from clinical_assets.labels.evidence import EvidenceFinder
from clinical_assets.labels.model_labels import Question, label_batch_with_model, question_of
from clinical_assets.labels.regex_labels import section_finder
from clinical_assets.language_models.answers import Request
from clinical_assets.language_models.batching import plan_batches
from clinical_assets.language_models.catalogue import ModelEntry, load_catalogue
from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.demo_models.recipes import RECIPES, recipe_folder
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.generation import Grammar
from clinical_assets.language_models.loading import Loaded, load_model
from clinical_assets.language_models.local import LocalBackend
from clinical_assets.language_models.opening import backend_revision, open_backend
from clinical_assets.language_models.session import Prefix, Session, pad_left, pad_right
from clinical_assets.language_models.skeleton import compile_skeleton
from clinical_assets.notes.sections import sections_table
from clinical_assets.storage.contracts import LABELS, NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from clinical_assets.study.model import Study
from clinical_assets.synthetic.snippets import LabelledText, labelled_notes

Values = tuple[bool, ...]
DEMO_MODELS = ("demo_mistral", "demo_gemma")
BATCH = 8  # notes at once in constrained generation
NEW_TOKENS = 128  # of the seed's free text
HELD_OUT_SEED = 12
PARTS = ("demo", "large", "large-split", "ledger")


# --- one model and its notes ------------------------------------------------------------------------------------------


class Case:
    """A model, a question, notes, and every way of labelling them."""

    def __init__(
        self,
        title: str,
        loaded: Loaded,
        entry: ModelEntry,
        study: Study,
        notes: Sequence[LabelledText],
        seed_every: int,
    ) -> None:
        self.title, self.model, self.tokenizer = title, loaded.model, loaded.tokenizer
        self.question: Question = question_of(study, entry)
        self.schema, self.prompt = self.question.schema, self.question.prompt
        self.texts = [note.text for note in notes]
        self.drafts: dict[str, list[Values]] = {"gold labels": [note.labels for note in notes]}
        self._seed_every = seed_every
        self.chat = Chat(self.tokenizer, self.prompt)
        self.skeleton = compile_skeleton(self.tokenizer, self.schema, self.chat.render(""))
        n_vocabulary = self.model.config.get_text_config().vocab_size
        self.canonical = Grammar(self.tokenizer, self.skeleton, n_vocabulary)
        self.backend = LocalBackend(loaded, entry, self.schema, self.prompt)
        self.common = self.chat.common_tokens()
        self.tail = len(self.chat.encode(["A"])[0]) - len(self.common) - 1
        self.drafts |= {"all false": [(False,) * len(self.schema.fields)] * len(notes), "rules": self._rules(study)}
        self.drafts["its own answers"] = self.ours("all false")[0]  # computes the prefix too, outside the clock

    def parts(self, n: int) -> list[Case]:
        """Return this case with every n-th note, from each of the first n on."""
        found = []
        for first in range(n):
            part = copy.copy(self)
            part.texts = self.texts[first::n]
            part.drafts = {name: drafts[first::n] for name, drafts in self.drafts.items()}
            found.append(part)
        return found

    @property
    def seed_rows(self) -> range:
        return range(0, len(self.texts), self._seed_every)

    @cached_property
    def prefix(self) -> Prefix:
        with torch.inference_mode():
            return Prefix(self.model, self.common)

    def _rules(self, study: Study) -> list[Values]:
        """What the rules say of each note: the draft as shipped."""
        table = notes_table(self.texts, "x", 0)
        finder, sections = EvidenceFinder(study), section_finder(sections_table(table), table)
        return [
            finder.rule_values(finder.find(text, sections(row)), self.schema.fields)
            for row, text in enumerate(self.texts)
        ]

    # -- ways of labelling
    def seed(self, *, stop: bool) -> tuple[list[Values | None], float]:
        """Free text; `stop` ends it after as many tokens as the answer and its end have."""
        n_new = self.skeleton.longest + 1 if stop else NEW_TOKENS
        end = self.tokenizer.eos_token_id
        found, n_written = [], 0
        for row in self.seed_rows:
            ids = self.tokenizer(self.chat.render(self.texts[row]), add_special_tokens=False, return_tensors="pt")
            with torch.inference_mode():
                out = self.model.generate(
                    input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], do_sample=False,
                    max_new_tokens=n_new, min_new_tokens=n_new if stop else None, eos_token_id=end, pad_token_id=end,
                )  # fmt: skip
            written = out[0, ids["input_ids"].shape[1] :]
            n_written += len(written)
            found.append(seed_values(self.tokenizer.decode(written, skip_special_tokens=True), self.schema.fields))
        return found, n_written / len(found)

    def constrained(self, grammar: Grammar, *, shared: bool) -> tuple[list[Values], list[tuple[float, ...]]]:
        prompts = self.chat.encode(self.texts)
        start = len(self.common) if shared else 0
        order = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
        values: dict[int, Values] = {}
        chances: dict[int, tuple[float, ...]] = {}
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            with torch.inference_mode():
                session = Session(self.model, len(rows), self.prefix if shared else None)
                scored, _ = grammar.generate(session, pad_left([prompts[i][start:] for i in rows]))
            values |= dict(zip(rows, scored.values, strict=True))
            chances |= dict(zip(rows, scored.probabilities, strict=True))
        return [values[i] for i in range(len(order))], [chances[i] for i in range(len(order))]

    def ours(self, draft: str) -> tuple[list[Values], list[tuple[float, ...]]]:
        """The backend as it is used: tokenizing, planning and Answer objects included."""
        self.backend.n_passes = 0
        answers = dict(
            self.backend.answer([Request(*each) for each in zip(self.texts, self.drafts[draft], strict=True)])
        )
        ordered = [answers[i] for i in range(len(self.texts))]
        assert all(answer.status == "labelled" for answer in ordered)
        return [answer.values for answer in ordered], [answer.probabilities for answer in ordered]

    def floor(self, *, session: bool) -> None:
        """Read the notes' own tokens, in the backend's batches; through the library's masks, or through Session."""
        prompts, n = self.chat.encode(self.texts), len(self.common)
        lengths = [len(tokens) - n + self.skeleton.longest for tokens in prompts]
        for rows in plan_batches(lengths, self.backend._budget.tokens):
            tokens, valid = pad_right([prompts[i][n : len(prompts[i]) - self.tail] or [0] for i in rows])
            with torch.inference_mode():
                if session:
                    Session(self.model, len(rows), self.prefix).states(tokens, valid)
                    continue
                cache = DynamicCache()
                for index, (keys, values) in enumerate(self.prefix.layers):
                    cache.update(keys.expand(len(rows), -1, -1, -1), values.expand(len(rows), -1, -1, -1), index)
                mask = torch.cat([torch.ones((len(rows), n), dtype=torch.long), valid.long()], 1)
                self.model.base_model(input_ids=tokens, attention_mask=mask, past_key_values=cache, use_cache=True)

    def oracle(self) -> tuple[list[Values], list[tuple[float, ...]]]:
        """Greedy decoding of the canonical answer, a token at a time, one note at a time, prompt read whole."""
        out, chances = [], []
        for prompt in self.chat.encode(self.texts):
            with torch.inference_mode():
                session = Session(self.model, 1)
                logits = session.feed(torch.tensor([prompt]), columns=[len(prompt) - 1])[0, -1]
                values: list[bool] = []
                p_true: list[float] = []
                for k, (false, true) in enumerate(zip(self.skeleton.false, self.skeleton.true, strict=True)):
                    for token in self.skeleton.fixed[k]:
                        logits = session.feed(torch.tensor([[token]]), columns=[0])[0, -1]
                    a, b = float(logits[false[0]]), float(logits[true[0]])
                    values.append(b > a or (a == b and true[0] < false[0]))
                    p_true.append(float(torch.sigmoid(torch.tensor(b - a))))
                    for token in true if values[-1] else false:
                        logits = session.feed(torch.tensor([[token]]), columns=[0])[0, -1]
            out.append(tuple(values))
            chances.append(tuple(p_true))
        return out, chances


def seed_values(text: str, fields: Sequence[str]) -> Values | None:
    """The seed's reading of free text; None where it finds no JSON (the seed then says all false)."""
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        answer = json.loads(found.group(0)) if found else None
    except ValueError:
        return None
    return tuple(bool(answer.get(name, False)) for name in fields) if isinstance(answer, dict) else None


# --- the race ---------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    name: str
    run: Callable[[Case], Any]
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    n_notes: int = 0

    @property
    def seconds(self) -> float:
        """CPU seconds a note, median over the turns."""
        return statistics.median(self.cpu) / self.n_notes

    def labels(self) -> tuple[list[Values], list[tuple[float, ...]]]:
        """Return values and P(true) of all notes in order, from the last turn's parts."""
        k, n = len(self.results), sum(len(values) for values, _ in self.results)
        both: tuple[list[Any], list[Any]] = ([None] * n, [None] * n)
        for first, part in enumerate(self.results):
            for whole, found in zip(both, part, strict=True):
                whole[first::k] = found
        return both


def race(ways: Sequence[Way], parts: Sequence[Case], repeats: int) -> None:
    """Take turns on each part of the notes, so that what else the machine does falls on all alike."""
    for _ in range(repeats):
        for way in ways:
            way.cpu.append(0.0)
            way.wall.append(0.0)
            way.results = []
        for part in parts:
            for way in ways:
                begin_cpu, begin = time.process_time(), time.perf_counter()
                way.results.append(way.run(part))
                way.cpu[-1] += time.process_time() - begin_cpu
                way.wall[-1] += time.perf_counter() - begin


def differing(a: Sequence[Values], b: Sequence[Values]) -> int:
    return sum(x != y for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True))


def compare(
    name: str,
    ours: Sequence[Values],
    chances: Sequence[Sequence[float]],
    other: Sequence[Values],
    theirs: Sequence[Sequence[float]],
) -> None:
    """Say how many labels differ, and how near to a half P(true) was where they do."""
    a, b, p, q = (torch.tensor(x) for x in (ours, other, chances, theirs))
    wrong = a != b
    near = f" (there our P(true) is within {float((p - 0.5).abs()[wrong].max()):.3f} of a half)" if wrong.any() else ""
    print(
        f"- Labels that differ from {name}: {int(wrong.sum())} of {wrong.numel():,}{near}; "
        f"P(true) differs by at most {float((p - q).abs().max()):.1e}."
    )


def run_case(case: Case, repeats: int, n_parts: int, *, trained: bool) -> None:
    """Race all ways on one case and print its tables."""
    n = len(case.texts)
    tokens = [len(ids) for ids in case.tokenizer(case.texts, add_special_tokens=False)["input_ids"]]
    size = sum(p.numel() for p in case.model.parameters()) / 1e6
    print(
        f"\n**{case.title}**: {size:.1f} M parameters, {case.model.dtype}; {n} notes of {min(tokens)} to {max(tokens)} tokens "
        f"(median {statistics.median(tokens):.0f}), shared prompt {len(case.common)}, turn's end {case.tail}, answer "
        f"{case.skeleton.longest} tokens\n",
        flush=True,
    )
    ways = {
        "seed": Way(f"seed's way, up to {NEW_TOKENS} tokens", lambda part: part.seed(stop=False)),
        "brief": Way("seed's way, stopped as the answer would end", lambda part: part.seed(stop=True)),
        "alone": Way(f"llguidance, batch {BATCH}", lambda part: part.constrained(part.canonical, shared=False)),
        "shared": Way(
            f"llguidance, batch {BATCH}, shared prefix", lambda part: part.constrained(part.canonical, shared=True)
        ),
        "ours": Way("this backend, draft of the rules (as shipped)", lambda part: part.ours("rules")),
        "best": Way("this backend, every guess right", lambda part: part.ours("its own answers")),
        "session": Way("prefill only, our masks", lambda part: part.floor(session=True)),
        "floor": Way("prefill only, the library's masks", lambda part: part.floor(session=False)),
    }
    parts = case.parts(n_parts)
    for key, way in ways.items():
        way.n_notes = sum(len(part.seed_rows) for part in parts) if key in {"seed", "brief"} else n
    race(list(ways.values()), parts, repeats)
    floor = min(ways["floor"].seconds, ways["session"].seconds)
    print(
        "| way | CPU ms a note | notes/s | wall ms a note | x seed's way | x stopped | x batched | share of the floor |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for way in ways.values():
        ratios = " | ".join(f"{ways[key].seconds / way.seconds:.2f}" for key in ("seed", "brief", "alone"))
        wall = statistics.median(way.wall) / way.n_notes
        spread = f"{min(way.cpu) / way.n_notes * 1e3:.1f} to {max(way.cpu) / way.n_notes * 1e3:.1f}"
        print(f"| {way.name} | {way.seconds * 1e3:.1f} ({spread}) | {1 / way.seconds:.2f} | {wall * 1e3:.1f} | {ratios} "
              f"| {floor / way.seconds:.0%} |")  # fmt: skip
    answers = [values for part, _ in ways["seed"].results for values in part]
    n_written = statistics.mean(written for _, written in ways["seed"].results)
    read = sum(values is not None for values in answers)
    print(f"\nThe seed's way wrote {n_written:.0f} tokens a note; {read} of {len(answers)} answers could be read.\n")
    labels, chances = ways["ours"].labels()
    for key in ("alone", "shared"):
        other, theirs = ways[key].labels()
        compare(f"{ways[key].name}, canonical tokens", labels, chances, other, theirs)
    compare(
        "the canonical greedy answer, one note and one token at a time, no grammar", labels, chances, *case.oracle()
    )
    print(f"Of all labels {sum(map(sum, labels)) / (n * len(labels[0])):.0%} are true.")
    print("\n| draft | passes a note | labels changed by it |\n|---|--:|--:|")
    for name in case.drafts:
        found = case.ours(name)[0]
        print(f"| {name} | {case.backend.n_passes / n:.2f} | {differing(found, labels)} |", flush=True)


# --- models and notes -------------------------------------------------------------------------------------------------


def demo_folders(study: Study, models: Path) -> dict[str, Path]:
    """Return name -> folder of the demo models; those that are not in `models` are trained there."""
    catalogue = load_catalogue()
    orders = []
    for name in DEMO_MODELS:
        entry = catalogue.entry(name)
        question = question_of(study, entry)
        folder = recipe_folder(models, entry, question.schema, question.prompt)
        orders.append(Order(entry, folder, question.schema, question.prompt))
    return {
        made.entry.name: made.folder for made in train_all(orders, lambda line: print(f"<!-- {line} -->", flush=True))
    }


def held_out(fields: Sequence[str], n: int) -> list[LabelledText]:
    """Return n notes that no model was trained on, evenly drawn."""
    notes = [note for note in labelled_notes(fields, seed=HELD_OUT_SEED, n_persons=300) if len(note.text) <= 3_000]
    return notes[:: max(1, len(notes) // n)][:n]


def long_notes(notes: Sequence[LabelledText], tokenizer: Any, n: int, length: int = 950) -> list[LabelledText]:
    """Join notes to texts of about `length` tokens."""
    out: list[LabelledText] = []
    texts: list[str] = []
    labels: list[Values] = []
    total = 0
    for note in notes:
        size = len(tokenizer(note.text, add_special_tokens=False)["input_ids"]) + 1
        if texts and total + size / 2 > length:
            out.append(LabelledText("\n\n".join(texts), tuple(map(any, zip(*labels, strict=True)))))
            texts, labels, total = [], [], 0
        texts.append(note.text)
        labels.append(note.labels)
        total += size
    if len(out) < n:
        raise SystemExit(f"only {len(out)} long notes; ask for fewer with --long-notes")
    return out[:n]


def plain_tokenizer(texts: Sequence[str]) -> Any:
    """A byte-level BPE of the same size without a token for each key: the answer is about 100 tokens, ' false' is one."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    recipe = RECIPES["mistral"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", *recipe.marks]
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=3_018, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token=recipe.end)
    tokenizer.chat_template = recipe.chat_template
    return tokenizer


def random_llama(tokenizer: Any) -> tuple[Loaded, ModelEntry]:
    """Return a Llama of 55 M parameters with random weights, and its entry."""
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=768, intermediate_size=2_048, num_hidden_layers=8, num_attention_heads=12,
        num_key_value_heads=4, head_dim=64, max_position_embeddings=4_096,
    )  # fmt: skip
    fast = torch.cpu._is_amx_tile_supported()
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16 if fast else torch.float32).eval()
    entry = ModelEntry(
        name="random_llama", description="random weights, for speed alone", model="none", context_length=4_096,
        licence="none", profile="demo",
    )  # fmt: skip
    return Loaded(model, tokenizer, "cpu", 0), entry


# --- the ledger -------------------------------------------------------------------------------------------------------


def notes_table(texts: Sequence[str], batch: str, first_id: int) -> pa.Table:
    n = len(texts)
    known: dict[str, Any] = {
        "note_id": range(first_id, first_id + n),
        "person_id": range(n),
        "note_date": [date(2020, 1, 1)] * n,
        "text": texts,
        "text_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in texts],
        "n_chars": [len(text) for text in texts],
        "status": ["usable"] * n,
        "batch": [batch] * n,
        "source_file_sha256": ["0" * 64] * n,
        "ingested_at": [datetime(2026, 1, 1, tzinfo=UTC)] * n,
    }
    columns = [pa.array(known.get(column.name, [None] * n), column.type) for column in NOTES]
    return pa.table(columns, schema=NOTES)


def land(lake: Lake, texts: Sequence[str], batch: str, first_id: int) -> list[int]:
    """Write a batch of notes with their sections; return the note_ids."""
    notes = notes_table(texts, batch, first_id)
    lake.write("notes/notes", notes, NOTES, batch=batch)
    lake.write("notes/sections", sections_table(notes), SECTIONS, batch=batch)
    return notes["note_id"].to_pylist()


def labels_of(notes: pa.Table, question: Question, identity: dict[str, str], study: Study) -> pa.Table:
    """Labels as an earlier run would have left them."""
    k, n = len(question.schema.fields), notes.num_rows
    repeated = pa.array([row for row in range(n) for _ in range(k)])
    known: dict[str, Any] = {
        "note_id": notes["note_id"].take(repeated), "note_sha256": notes["text_sha256"].take(repeated),
        "person_id": notes["person_id"].take(repeated), "batch": notes["batch"].take(repeated),
        "field": pa.array(sorted(question.schema.fields) * n), "value": pa.array([False] * (n * k)),
        "probability": pa.array([0.01] * (n * k), pa.float32()), "status": pa.array(["labelled"] * (n * k)),
        "n_input_tokens": pa.array([600] * (n * k), pa.int32()), "n_output_tokens": pa.array([0] * (n * k), pa.int32()),
        "seconds": pa.array([0.01] * (n * k), pa.float32()),
        "labelled_at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * (n * k), LABELS.field("labelled_at").type),
        "run_id": pa.array(["old"] * (n * k)),
        **{name: pa.array([value] * (n * k)) for name, value in identity.items()},
    }  # fmt: skip
    return pa.table([known.get(column.name, pa.nulls(n * k, column.type)) for column in LABELS], schema=LABELS)


class Ledger:
    """Runs of the asset's own function on lakes in a temporary folder."""

    def __init__(self, study: Study, folder: Path) -> None:
        self.study, self.folder = study, folder
        self.entry = load_catalogue().entry(DEMO_MODELS[0])
        self.revision = backend_revision(self.entry, folder)
        self.opened = 0

    @contextlib.contextmanager
    def open(self, question: Question) -> Iterator[Any]:
        self.opened += 1
        with open_backend(self.entry, question.schema, question.prompt, folder=self.folder, device="cpu") as backend:
            yield backend

    def run(self, lake: Lake, batch: str, scope: Sequence[int]) -> tuple[float, float, Any]:
        """Return (wall seconds, CPU seconds, what the run did)."""
        begin, begin_cpu = time.perf_counter(), time.process_time()
        done = label_batch_with_model(
            lake, self.entry, self.study, batch, scope, self.revision, self.open,
            run_id="benchmark", labelled_at=datetime.now(UTC), log=lambda line: None,
        )  # fmt: skip
        return time.perf_counter() - begin, time.process_time() - begin_cpu, done

    def identity(self, question: Question) -> dict[str, str]:
        return {
            "labeller": self.entry.labeller, "model_revision": self.revision, "adapter_sha": "", "prompt_sha": question.sha,
            "schema_version": self.study.schema_version, "decoding": self.entry.full_decoding,
        }  # fmt: skip


def run_ledger(study: Study, folder: Path, work: Path, repeats: int, n_old: int) -> None:
    """An unchanged batch again; and few new notes beside many old ones."""
    ledger = Ledger(study, folder)
    question = question_of(study, ledger.entry)
    texts = [note.text for note in held_out(question.schema.fields, 1_000)]
    table = f"labels/{ledger.entry.labeller}"
    print(
        f"\n**Ledger** ({ledger.entry.name}, one batch of {len(texts):,} notes; wall s, CPU s in brackets; median of {repeats})\n"
    )

    def middle(found: Sequence[tuple[float, float, Any]]) -> tuple[float, str]:
        wall, cpu = (statistics.median(one[i] for one in found) for i in (0, 1))
        return wall, f"{wall:.3f} ({cpu:.3f})"

    lake = Lake(work / "again")
    scope = land(lake, texts, "b1", 0)
    first, again = [], []
    for _ in range(repeats):
        lake.remove(table, "b1")
        first.append(ledger.run(lake, "b1", scope))
        before, digest = ledger.opened, first[-1][2].written.digest
        again.append(ledger.run(lake, "b1", scope))
        assert ledger.opened == before, "a model was opened although nothing had changed"
        assert again[-1][2].written.digest == digest, "the same labels made another file"
    (t_first, said_first), (t_again, said_again) = middle(first), middle(again)
    print("| run | seconds | share |\n|---|--:|--:|")
    print(f"| first materialization | {said_first} | |")
    print(
        f"| again, nothing changed (no model opened, same digest) | {said_again} | {t_again / t_first:.1%} |",
        flush=True,
    )

    empty, full = Lake(work / "empty"), Lake(work / "full")
    per_batch = min(5_000, n_old)
    for at in range(0, n_old, per_batch):
        old = notes_table([texts[i % len(texts)] for i in range(per_batch)], f"old{at}", 10_000 + at)
        full.write("notes/notes", old, NOTES, batch=f"old{at}")
        full.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch=f"old{at}")
        full.write(table, labels_of(old, question, ledger.identity(question), study), LABELS, batch=f"old{at}")
    scopes = {id(one): land(one, texts[:100], "new", 0) for one in (empty, full)}
    times: dict[int, list[tuple[float, float, Any]]] = {id(empty): [], id(full): []}
    ledger.run(empty, "new", scopes[id(empty)])
    for _ in range(max(5, repeats)):
        for one in (empty, full):
            one.remove(table, "new")
            times[id(one)].append(ledger.run(one, "new", scopes[id(one)]))
            assert times[id(one)][-1][2].n_asked == 100
    (t_empty, said_empty), (t_full, said_full) = middle(times[id(empty)]), middle(times[id(full)])
    print(f"| 100 new notes, empty lake | {said_empty} | |")
    print(f"| 100 new notes as a batch beside {n_old:,} labelled ones | {said_full} | x {t_full / t_empty:.2f} |")
    some = "old0"
    old_ids = full.read("notes/notes", some, ["note_id"])["note_id"].to_pylist()
    kept = full.read(table, some)
    fresh = kept.filter(pc.greater(kept["note_id"], old_ids[99]))
    grown = []
    for _ in range(repeats):
        full.write(table, fresh, LABELS, batch=some)
        grown.append(ledger.run(full, some, old_ids))
        assert grown[-1][2].n_asked == 100
    t_grown, said_grown = middle(grown)
    print(
        f"| 100 new notes within a batch of {per_batch:,} (for information) | {said_grown} | x {t_grown / t_empty:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, help="folder with trained demo models; what is missing is trained there")
    parser.add_argument("--notes", type=int, default=200)
    parser.add_argument("--long-notes", type=int, default=24)
    parser.add_argument("--old-notes", type=int, default=100_000, help="labelled notes of the full lake")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--part", choices=PARTS, action="append", help="default: all")
    arguments = parser.parse_args()
    parts = arguments.part or PARTS
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    memory, load = psutil.virtual_memory().total / 2**30, os.getloadavg()[0]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores {platform.machine()}, {memory:.0f} GiB, AMX "
        f"{'yes' if torch.cpu._is_amx_tile_supported() else 'no'}, load {load:.1f} at the start; {torch.get_num_threads()} torch "
        f"thread for all, OMP_WAIT_POLICY=PASSIVE; torch {torch.__version__}, transformers {transformers.__version__}; "
        f"median of {arguments.repeats} turns; the seed's way on a quarter (demo) or an eighth (large) of the notes",
        flush=True,
    )
    study = load_study()
    with tempfile.TemporaryDirectory() as work:
        folders = demo_folders(study, arguments.models or Path(work) / "models")
        question = question_of(study, load_catalogue().entry(DEMO_MODELS[0]))
        fields, prompt = question.schema.fields, question.prompt
        if "demo" in parts:
            for name in DEMO_MODELS:
                entry = load_catalogue().entry(name)
                loaded = load_model(entry, find_device("cpu"), folder=folders[name])
                notes = held_out(fields, arguments.notes)
                run_case(Case(name, loaded, entry, study, notes, 4), arguments.repeats, 5, trained=True)
        pool = labelled_notes(fields, seed=HELD_OUT_SEED, n_persons=300)
        demo = AutoTokenizer.from_pretrained(folders[DEMO_MODELS[0]])
        notes = long_notes(pool, demo, arguments.long_notes)
        plain = plain_tokenizer([*(note.text for note in pool), prompt.system])
        for part, title, tokenizer in (
            ("large", "a token for each key", demo),
            ("large-split", "keys split as usual", plain),
        ):
            if part in parts:
                case = Case(f"random Llama, {title}", *random_llama(tokenizer), study, notes, 8)
                run_case(case, arguments.repeats, max(1, len(notes) // BATCH), trained=False)
        if "ledger" in parts:
            run_ledger(study, folders[DEMO_MODELS[0]], Path(work), arguments.repeats, arguments.old_notes)


if __name__ == "__main__":
    main()
