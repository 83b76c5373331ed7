"""Training a demo model: a curriculum from lines to notes, a loss on the values alone, finished with the whole prompt.

A short run of a small model learns to find and to read long before it learns to write, so only what decides is trained: the
two tokens of each value, the names in a thought, and (through a head that is thrown away) what each line says.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.chat import CLOSE_THOUGHT, Chat
from clinical_assets.language_models.demo_models.examples import Batch, ExampleSource, Labelled
from clinical_assets.language_models.demo_models.recipes import Recipe
from clinical_assets.language_models.demo_models.tokenizer import build_tokenizer
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.session import Prefix, Session, pad_right
from clinical_assets.language_models.skeleton import Skeleton, compile_skeleton
from clinical_assets.progress import Progress

if TYPE_CHECKING:
    import torch

__all__ = ["Trained", "train_demo_model"]

# Shares of the steps: lines alone, composed notes, real notes without the prompt, real notes with it.
_LINES, _COMPOSED, _BARE = 0.12, 0.72, 0.95
_TOKENS = 1_300  # a step
_RATE = 2e-3
_EMBEDDING_GAIN, _LAYER_GAIN = 8.0, 0.3


@dataclass(frozen=True)
class Trained:
    """What a training gave: where it is, steps, seconds, and the number of parameters."""

    folder: Path
    n_steps: int
    seconds: float
    n_parameters: int


def train_demo_model(
    recipe: Recipe,
    folder: Path,
    schema: AnswerSchema,
    prompt: Prompt,
    lines: Sequence[Labelled],
    notes: Sequence[Labelled],
    *,
    log: Callable[[str], None],
) -> Trained:
    """Train a model and put it into `folder` as a whole, or not at all.

    Parameters
    ----------
    folder
        Where model and tokenizer go; its parent is made.
    lines, notes
        Labelled texts; labels in the order of the schema's fields.
    """
    import torch

    started = time.monotonic()
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer(recipe, [*(item.text for item in notes[:3_000]), *[prompt.system] * 50], schema)
    trainer = _Trainer(recipe, tokenizer, schema, prompt, ExampleSource(tokenizer, lines, notes, seed=recipe.seed))
    progress = Progress("training steps", recipe.n_steps, log)
    for step in range(recipe.n_steps):
        trainer.step(step / recipe.n_steps)
        progress.add(1)
    model = trainer.finished()
    seconds = round(time.monotonic() - started, 1)
    n = sum(p.numel() for p in model.parameters())
    _publish(folder, model, tokenizer, {"recipe": recipe.family, "n_steps": recipe.n_steps, "n_notes": len(notes)})
    return Trained(folder, recipe.n_steps, seconds, n)


class _Trainer:
    """Weights in bfloat16 where the processor multiplies it fast, with a float32 copy that the optimizer moves."""

    def __init__(
        self, recipe: Recipe, tokenizer: Any, schema: AnswerSchema, prompt: Prompt, source: ExampleSource
    ) -> None:
        import torch

        self._recipe, self._tokenizer, self._source, self._schema = recipe, tokenizer, source, schema
        self._model = _new_model(recipe, len(tokenizer))
        self._lines_head = torch.nn.Linear(recipe.hidden_size, recipe.hidden_size)
        self._masters = [p.detach().clone() for p in self._model.parameters()]
        if torch.cpu._is_amx_tile_supported():
            self._model = self._model.to(torch.bfloat16)
        moved = [*self._masters, *self._lines_head.parameters()]
        self._optimizer = torch.optim.AdamW(moved, lr=_RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
        chat = Chat(tokenizer, prompt, recipe.thinks)
        self._common = chat.common_tokens()
        whole = chat.encode(["A"])[0]
        self._tail = whole[len(self._common) + 1 :]
        closing = CLOSE_THOUGHT if recipe.thinks else ""
        self._closing = tokenizer(closing, add_special_tokens=False)["input_ids"] if closing else []
        self._skeleton: Skeleton = compile_skeleton(tokenizer, schema, chat.render("") + closing)
        self._keys = [tokenizer(f'"{name}":', add_special_tokens=False)["input_ids"][0] for name in schema.fields]
        self._names = [tokenizer(name, add_special_tokens=False)["input_ids"] for name in schema.fields]

    def step(self, done: float) -> None:
        """Take one step; `done` is the share of steps that are done."""
        import torch

        warm = min(1.0, done * 40 + 0.05)
        for group in self._optimizer.param_groups:
            group["lr"] = _RATE * warm * (1.0 if done < 0.5 else max(0.04, (1 - done) / 0.5))
        loss = self._loss(self._draw(done), done)
        loss.backward()
        for master, weight in zip(self._masters, self._model.parameters(), strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self._masters, 1.0)
        self._optimizer.step()
        self._lines_head.zero_grad()
        with torch.no_grad():
            for master, weight in zip(self._masters, self._model.parameters(), strict=True):
                weight.copy_(master)

    def finished(self) -> Any:
        """Return the model in float32."""
        import torch

        model = self._model.to(torch.float32)
        with torch.no_grad():
            for master, weight in zip(self._masters, model.parameters(), strict=True):
                weight.copy_(master)
        return model.eval()

    def _draw(self, done: float) -> Batch:
        if done < _LINES:
            return self._source.lines(8)
        if done < _COMPOSED:
            return self._source.composed(_TOKENS, 2 + int(11 * (done - _LINES) / (_COMPOSED - _LINES)))
        return self._source.notes(_TOKENS)

    def _loss(self, batch: Batch, done: float) -> torch.Tensor:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits as bce
        from torch.nn.functional import cross_entropy, rms_norm

        drafts = [self._skeleton.compose(y) for y in batch.labels]
        thoughts = [self._thought(y) if self._recipe.thinks else [] for y in batch.labels]
        heads = [[*note, *self._tail] if batch.answered else note for note in batch.tokens]
        rows = [
            [*head, *thought, *answer.tokens] if batch.answered else head
            for head, thought, answer in zip(heads, thoughts, drafts, strict=True)
        ]
        states, middle = self._states(rows, with_prompt=done >= _BARE)
        # Positives count more at first: without that the model says "all false" for a long while.
        weight = torch.tensor(1.0 + 2.0 * max(0.0, 1 - done / _COMPOSED))
        loss = torch.zeros(())
        ends = [(i, place, y) for i, row in enumerate(batch.line_ends) for place, y in row]
        if ends and middle is not None:
            at = middle[[e[0] for e in ends], [e[1] for e in ends]].float()
            # Lines are told by the embeddings of the keys: these come to point at what their slots must look for.
            keys = self._model.get_input_embeddings().weight[self._keys].float()
            said = self._lines_head(rms_norm(at, at.shape[-1:])) @ rms_norm(keys, keys.shape[-1:]).T / 8 - 2
            loss = bce(said, torch.tensor([e[2] for e in ends]).float(), pos_weight=torch.tensor(3.0))
        if not batch.answered:
            return loss
        slots = torch.tensor(
            [[len(h) + len(t) + s for s in a.slots] for h, t, a in zip(heads, thoughts, drafts, strict=True)]
        )
        logits = self._model.lm_head(states[torch.arange(len(rows))[:, None], slots]).float()
        pair = logits.gather(2, torch.tensor(self._skeleton.deciding).T.expand(len(rows), -1, -1))
        loss = 0.5 * loss + bce(pair[..., 1] - pair[..., 0], torch.tensor(batch.labels).float(), pos_weight=weight)
        if self._recipe.thinks:
            # The thought up to and with its closing mark; each token is told from the state before it.
            where = [
                (i, len(h) + j - 1, token)
                for i, (h, t) in enumerate(zip(heads, thoughts, strict=True))
                for j, token in enumerate(t[: len(t) - len(self._closing) + 1])
            ]
            told = self._model.lm_head(states[[w[0] for w in where], [w[1] for w in where]]).float()
            loss = loss + 0.3 * cross_entropy(told, torch.tensor([w[2] for w in where]))
        return loss

    def _thought(self, labels: Sequence[bool]) -> list[int]:
        named = [token for name, y in zip(self._names, labels, strict=True) if y for token in name]
        return [*named, *self._closing]

    def _states(self, rows: list[list[int]], *, with_prompt: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return last states and those before the last layer, (n, longest, size).

        Without the prompt the rows stand where it would end, so that positions are those of real use, and no mask is
        needed: that is four times as fast.
        """
        import torch

        tokens, valid = pad_right(rows)
        if not with_prompt:
            start = len(self._common)
            positions = torch.arange(start, start + tokens.shape[1])[None].expand(len(rows), -1)
            out = self._model.model(
                input_ids=tokens, position_ids=positions, use_cache=False, output_hidden_states=True
            )
            return out.last_hidden_state, out.hidden_states[-2]
        session = Session(self._model, len(rows), Prefix(self._model, self._common))
        return session.states(tokens, valid), None


def _new_model(recipe: Recipe, n_vocabulary: int) -> Any:
    import transformers as hf

    size: dict[str, Any] = {
        "vocab_size": n_vocabulary,
        "hidden_size": recipe.hidden_size,
        "intermediate_size": recipe.hidden_size * 5 // 2,
        "num_hidden_layers": recipe.n_layers,
        "num_attention_heads": recipe.hidden_size // 64,
        "num_key_value_heads": recipe.hidden_size // 64,
        "head_dim": 64,
        "max_position_embeddings": 2_048,
        "tie_word_embeddings": True,
        "initializer_range": 0.06,
    }
    if recipe.family == "mistral":
        return hf.MistralForCausalLM(hf.MistralConfig(**size, sliding_window=None))
    if recipe.family == "qwen3":
        return _tame(hf.Qwen3ForCausalLM(hf.Qwen3Config(**size)))
    if recipe.family == "gemma3":
        windows = ["sliding_attention"] * (recipe.n_layers - 1) + ["full_attention"]
        config = hf.Gemma3TextConfig(**size, sliding_window=256, layer_types=windows, query_pre_attn_scalar=64)
        return hf.Gemma3ForCausalLM(config)
    raise ValueError(f"unknown family {recipe.family!r}; known: mistral, qwen3, gemma3")


def _tame(model: Any) -> Any:
    """Let a token's own embedding outweigh what the untrained layers add to it, as Gemma's scaling does: it learns far sooner."""
    import torch

    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(_EMBEDDING_GAIN)
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(_LAYER_GAIN)
            layer.mlp.down_proj.weight.mul_(_LAYER_GAIN)
    return model


def _publish(folder: Path, model: Any, tokenizer: Any, made: dict[str, Any]) -> None:
    from transformers.utils.logging import disable_progress_bar

    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".training.*"):  # of a training that was killed while it wrote
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".training.", dir=folder.parent))
    tokenizer.model_max_length = model.config.max_position_embeddings
    disable_progress_bar()
    try:
        model.save_pretrained(work, safe_serialization=True)
        tokenizer.save_pretrained(work)
        (work / "made_from.json").write_text(json.dumps(made, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
