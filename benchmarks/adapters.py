"""Training of adapters against the seed's way, on the same model, examples and dtype, side by side; and QLoRA at full size on a GPU.

    python benchmarks/adapters.py [--models FOLDER] [--examples 48] [--repeats 3] [--part NAME]

(1) `demo`: demo_mistral (trained into a temporary folder, or found in FOLDER); (2) `large`: a random Llama of 55 M parameters, for
speed alone, bfloat16 where the processor multiplies it fast; (3) `gpu`: random weights in the shape of MedGemma 4B and Mistral 7B in
4 bits: seconds and memory of a step. Where there is no GPU, it says so.

The seed's way, written anew: a plain `transformers.Trainer`, LoRA on the same modules, the chat as one text, padded to max length
(4,096 tokens; the Hugging Face default collator), loss on everything. A second row pads to the longest row of the batch only. One
optimizer step a batch in each; learning rate, rank and modules are the same. Competitors take turns in one process, one torch
thread. The machine may be shared, so ratios are of CPU seconds; wall seconds stand beside them. Tokens are those of the examples,
without padding, every row counted in full: who pads or who shares a prompt does not get more of them. Peak memory is of a process
of its own for each competitor (`--memory-of`), above what it had before training.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import copy
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
import transformers
from peft import LoraConfig, get_peft_model

from clinical_assets.labels.demo_models import demo_orders, train_all
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.catalogue import ModelEntry, load_catalogue
from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.completions import Encoder
from clinical_assets.language_models.devices import find_device, peak_memory
from clinical_assets.language_models.loading import Loaded, load_model
from clinical_assets.language_models.lora_settings import PRESETS, LoraSettings
from clinical_assets.language_models.lora_targets import target_pattern
from clinical_assets.language_models.lora_trainer import Job, build_trainer
from clinical_assets.language_models.training_task import Example
from clinical_assets.study.load import load_study
from clinical_assets.synthetic.snippets import labelled_notes

WAYS = ("seed", "longest", "ours")
TITLES = {
    "seed": "plain Trainer, padded to max length (the seed's way)",
    "longest": "plain Trainer, padded to the longest row",
    "ours": "our trainer",
}
MAX_TOKENS, ROWS = 4_096, 5


class Task:
    """The demo's labels."""

    name, metric_name = "labels", None

    def __init__(self, entry: ModelEntry, n: int) -> None:
        question = question_of(load_study(), entry)
        self.prompt = question.prompt
        notes = [
            note for note in labelled_notes(question.schema.fields, seed=33, n_persons=400) if len(note.text) < 3_000
        ]
        chosen = notes[:: len(notes) // n][:n]
        self.train = [
            Example(str(i), str(i), note.text, question.schema.text(note.labels)) for i, note in enumerate(chosen)
        ]
        self.validation = self.train[:1]

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        return {}

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        return [found.span() for found in re.finditer("true|false", target)]


class Case:
    """A model and examples, and every way of training an epoch of them."""

    def __init__(self, part: str, folder: Path, n: int) -> None:
        self.entry = load_catalogue().entry("demo_mistral")
        study = load_study()
        order = demo_orders([self.entry], study, folder)[0]
        list(train_all([order], lambda line: print(f"<!-- {line} -->", flush=True)))
        self.loaded = load_model(self.entry, find_device("cpu"), folder=order.folder)
        if part == "large":
            self.loaded.model = random_llama(len(self.loaded.tokenizer))
        self.task = Task(self.entry, n)
        self.settings = PRESETS["demo"].model_copy(update={"epochs": 1})
        self.encoder = Encoder(self.loaded.tokenizer, self.task, self.settings, reasoning=False)
        self.rows = [self.encoder.encode(example) for example in self.task.train]
        self.n_tokens = sum(len(row.tokens) for row in self.rows)

    def adapted(self) -> Any:
        base = copy.deepcopy(self.loaded.model)
        pattern = target_pattern(base, self.settings, "m")
        torch.manual_seed(0)
        return get_peft_model(
            base, LoraConfig(r=self.settings.rank, lora_alpha=32, lora_dropout=0.0, target_modules=pattern)
        )

    def arguments(self, folder: str) -> dict[str, Any]:
        return {
            "output_dir": folder, "num_train_epochs": 1, "learning_rate": 2e-4, "report_to": "none", "disable_tqdm": True,
            "save_strategy": "no", "eval_strategy": "no", "use_cpu": True, "logging_strategy": "no", "log_level": "error",
            "remove_unused_columns": False, "activation_checkpointing": False, "per_device_train_batch_size": 1,
        }  # fmt: skip

    def run(self, way: str) -> None:
        """Train one epoch."""
        model = self.adapted()
        with tempfile.TemporaryDirectory() as folder:
            if way == "ours":
                job = Job(
                    self.loaded, self.task, self.settings, find_device("cpu"), self.rows, self.rows[:1],
                    self.encoder.common_tokens(), (), Path(folder), 1e9, lambda line: None,
                )  # fmt: skip
                trainer = build_trainer(model, job, self.arguments(folder))
            else:
                trainer = self.plain(model, folder, longest=way == "longest")
            trainer.train()

    def plain(self, model: Any, folder: str, *, longest: bool) -> Any:
        tokenizer = self.loaded.tokenizer
        chat = Chat(tokenizer, self.task.prompt)
        texts = [chat.render(e.text) + e.target + chat.turn_end() for e in self.task.train]
        how = {} if longest else {"padding": "max_length", "max_length": MAX_TOKENS}
        data = [dict(tokenizer(text, truncation=not longest, add_special_tokens=False, **how)) for text in texts]
        data = [{name: row[name] for name in ("input_ids", "attention_mask")} for row in data]
        collator = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False)
        given = self.arguments(folder) | {"per_device_train_batch_size": ROWS}
        trainer = transformers.Trainer(
            model=model, args=transformers.TrainingArguments(**given), train_dataset=data, data_collator=collator
        )
        trainer.remove_callback(transformers.PrinterCallback)
        return trainer


def random_llama(n_vocabulary: int) -> Any:
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=n_vocabulary, hidden_size=768, intermediate_size=2_048, num_hidden_layers=8, num_attention_heads=12,
        num_key_value_heads=4, head_dim=64, max_position_embeddings=4_096,
    )  # fmt: skip
    fast = torch.cpu._is_amx_tile_supported()
    return transformers.LlamaForCausalLM(config).to(torch.bfloat16 if fast else torch.float32)


def race(part: str, folder: Path, n: int, repeats: int) -> None:
    """Print one table."""
    case = Case(part, folder, n)
    size = sum(p.numel() for p in case.loaded.model.parameters()) / 1e6
    lengths = [len(row.tokens) for row in case.rows]
    print(
        f"\n**{part}**: {size:.1f} M parameters, {case.loaded.model.dtype}; {n} examples of {min(lengths)} to {max(lengths)} tokens "
        f"(median {statistics.median(lengths):.0f}), {len(case.encoder.common_tokens())} of them the same in all; LoRA r "
        f"{case.settings.rank} on all linear modules; median of {repeats} turns, CPU seconds (range)\n",
        flush=True,
    )
    cpu: dict[str, list[float]] = {way: [] for way in WAYS}
    wall: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            begin_cpu, begin = time.process_time(), time.perf_counter()
            case.run(way)
            cpu[way].append(time.process_time() - begin_cpu)
            wall[way].append(time.perf_counter() - begin)
    seed = statistics.median(cpu["seed"])
    print("| way | CPU s an epoch | wall s | tokens a CPU second | x the seed's way | peak memory of training, MB |")
    print("|---|--:|--:|--:|--:|--:|")
    for way in WAYS:
        seconds = statistics.median(cpu[way])
        memory = memory_of(way, part, folder, n)
        print(f"| {TITLES[way]} | {seconds:.1f} ({min(cpu[way]):.1f} to {max(cpu[way]):.1f}) | {statistics.median(wall[way]):.1f} "
              f"| {case.n_tokens / seconds:,.0f} | {seed / seconds:.1f} | {memory:,.0f} |", flush=True)  # fmt: skip


def memory_of(way: str, part: str, folder: Path, n: int) -> float:
    """Return the peak memory of a process that trains in one way, in MB above what it held before."""
    command = [
        sys.executable,
        __file__,
        "--memory-of",
        way,
        "--part",
        part,
        "--models",
        str(folder),
        "--examples",
        str(min(n, 10)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def gpu() -> None:
    """QLoRA steps on random weights of full size."""
    if not torch.cuda.is_available():
        print("\n**gpu**: there is no GPU here; nothing was measured. Run this part where one is.")
        return
    from transformers import BitsAndBytesConfig

    tokenizer_of = load_catalogue().entry("demo_mistral")
    shapes: dict[str, Any] = {
        "Mistral 7B": transformers.MistralConfig(
            vocab_size=32_002, hidden_size=4_096, intermediate_size=14_336, num_hidden_layers=32, num_attention_heads=32,
            num_key_value_heads=8, sliding_window=None,
        ),
        "Gemma 3 4B (MedGemma's text part)": transformers.Gemma3TextConfig(
            vocab_size=262_208, hidden_size=2_560, intermediate_size=10_240, num_hidden_layers=34, num_attention_heads=8,
            num_key_value_heads=4, head_dim=256, sliding_window=1_024,
        ),
    }  # fmt: skip
    device = find_device("cuda")
    print(
        f"\n**gpu**: {device.name}; random weights, NF4, double quantization, compute in bfloat16; 16 rows of 1,500 + 100 tokens\n"
    )
    print("| shape | settings | s a step | tokens/s | peak GB |\n|---|---|--:|--:|--:|")
    for name, config in shapes.items():
        with tempfile.TemporaryDirectory() as folder:
            torch.set_default_dtype(torch.bfloat16)
            with torch.device("cuda"):
                transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
            torch.set_default_dtype(torch.float32)
            torch.cuda.empty_cache()
            nf4 = BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
            )  # fmt: skip
            base = transformers.AutoModelForCausalLM.from_pretrained(
                folder, quantization_config=nf4, device_map="cuda", dtype=torch.bfloat16
            )
            for checkpointing in (True, False):
                settings = PRESETS["recommended"].model_copy(update={"epochs": 1, "batch_size": 4})
                print(
                    f"| {name} | {gpu_steps(copy.deepcopy(base), tokenizer_of, settings, device, checkpointing)} |",
                    flush=True,
                )


def gpu_steps(base: Any, entry: ModelEntry, settings: LoraSettings, device: Any, checkpointing: bool) -> str:
    from clinical_assets.language_models.completions import Completion

    rows = [
        Completion(tuple((7 * i + k) % 30_000 for k in range(1_600)), (1.0,) * 100, (False,) * 100, False)
        for i in range(16)
    ]
    model = get_peft_model(base, LoraConfig(r=settings.rank, target_modules=target_pattern(base, settings, "m")))
    torch.cuda.reset_peak_memory_stats()
    times = []
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            Loaded(base, None, "cuda", 0), None, settings, device, rows, rows[:1], (), (), Path(folder), 1e9, print
        )  # type: ignore[arg-type]
        arguments = {
            "output_dir": folder, "num_train_epochs": 3, "per_device_train_batch_size": 1, "optim": "paged_adamw_8bit", "bf16": True,
            "activation_checkpointing": checkpointing, "activation_checkpointing_kwargs": {"use_reentrant": False},
            "save_strategy": "no", "eval_strategy": "no", "logging_strategy": "no", "report_to": "none", "disable_tqdm": True,
            "remove_unused_columns": False, "log_level": "error",
        }  # fmt: skip
        trainer = build_trainer(model, job, arguments)

        class Clock(transformers.TrainerCallback):
            def on_step_end(self, *given: Any, **named: Any) -> None:
                torch.cuda.synchronize()
                times.append(time.perf_counter())

        trainer.add_callback(Clock())
        trainer.train()
    step = statistics.median(b - a for a, b in itertools.pairwise(times[2:]))
    how = f"r {settings.rank}, all linear, 4 rows, {'with' if checkpointing else 'without'} gradient checkpointing"
    return f"{how} | {step:.2f} | {4 * 1_600 / step:,.0f} | {peak_memory(device) / 1e9:.1f}"


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--models", type=Path, help="folder with trained demo models")
    given.add_argument("--examples", type=int, default=48)
    given.add_argument("--repeats", type=int, default=3)
    given.add_argument("--part", choices=("demo", "large", "gpu"), action="append")
    given.add_argument(
        "--memory-of", choices=WAYS, help="one epoch in one way; print MB (used by the benchmark itself)"
    )
    asked = given.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.models or Path(temporary)
        if asked.memory_of:
            case = Case(asked.part[0], folder, asked.examples)
            before = psutil.Process().memory_info().rss
            case.run(asked.memory_of)
            # Not ru_maxrss, which a process inherits from the one that started it.
            peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
            print(json.dumps((int(peak[1]) * 1024 - before) / 1e6))  # type: ignore[index]
            return
        for part in asked.part or ("demo", "large", "gpu"):
            if part == "gpu":
                gpu()
            else:
                race(part, folder, asked.examples, asked.repeats)


if __name__ == "__main__":
    main()
