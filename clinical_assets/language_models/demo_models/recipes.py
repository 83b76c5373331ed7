"""How each demo model is made: its architecture, tokenizer marks and chat template, and where the result is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clinical_assets.language_models.answers import AnswerSchema, sha256
from clinical_assets.language_models.catalogue import CatalogueError, ModelEntry
from clinical_assets.language_models.prompts import Prompt

__all__ = ["RECIPES", "Recipe", "recipe_folder", "recipe_of"]

# Raise it whenever training would give other weights.
_VERSION = "1"

_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_R1 = (
    "<|begin|>{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% elif m.role == 'user' %}<|User|>"
    "{{ m.content }}{% else %}<|Assistant|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
)
_GEMMA = (
    "<bos>{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


@dataclass(frozen=True)
class Recipe:
    """What a demo model is made from.

    Attributes
    ----------
    family
        mistral, qwen3 or gemma3: the architecture.
    chat_template, marks, end
        The template, the tokens it is written with, and which of them ends a turn.
    thinks
        Whether it is trained to name the true fields in a thought before it answers.
    n_layers, hidden_size
        Size; heads have 64 dimensions.
    n_steps
        Optimizer steps.
    seed
        Of weights and of the order of examples.
    """

    family: str
    chat_template: str
    marks: tuple[str, ...]
    end: str
    thinks: bool = False
    n_layers: int = 3
    hidden_size: int = 128
    n_steps: int = 700
    seed: int = 1


RECIPES = {
    "mistral": Recipe("mistral", _CHATML, ("<|im_start|>", "<|im_end|>"), "<|im_end|>", n_steps=450),
    "qwen3_thinker": Recipe(
        "qwen3",
        _R1,
        ("<|begin|>", "<|end|>", "<|User|>", "<|Assistant|>", "<think>", "</think>"),
        "<|end|>",
        thinks=True,
        n_steps=550,
    ),
    "gemma3": Recipe("gemma3", _GEMMA, ("<bos>", "<start_of_turn>", "<end_of_turn>"), "<end_of_turn>", n_steps=350),
}


def recipe_of(entry: ModelEntry) -> Recipe:
    """Return the recipe that a catalogue entry names.

    Raises
    ------
    CatalogueError
        If there is none of that name.
    """
    if entry.recipe not in RECIPES:
        raise CatalogueError(f"model {entry.name!r}: no recipe {entry.recipe!r}; known: {', '.join(sorted(RECIPES))}")
    return RECIPES[entry.recipe]


def recipe_folder(models: Path, entry: ModelEntry, schema: AnswerSchema, prompt: Prompt) -> Path:
    """Return where the model of a recipe, trained for a question, is kept: ``<models>/<name>/<digest>``."""
    made_from: Any = sorted(asdict(recipe_of(entry)).items())
    digest = sha256(_VERSION, repr(made_from), *schema.fields, prompt.sha256)
    return models / entry.name / digest[:16]
