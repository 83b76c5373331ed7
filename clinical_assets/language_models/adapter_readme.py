"""An adapter's card for people: what it is, what it was made from, how it learned. No text of a note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["readme_of"]


def readme_of(facts: Mapping[str, Any]) -> str:
    """Return the card (Markdown) from the facts of :class:`~clinical_assets.language_models.adapter_store.AdapterCard`."""
    names = list(dict.fromkeys(name for row in facts["history"] for name in row))
    rows = [[_told(row.get(name)) for name in names] for row in facts["history"]]
    settings = {name: value for name, value in facts["settings"].model_dump().items() if value is not None}
    ends = {
        "finished": "It ran to its end.",
        "early": "It stopped early, because nothing got better any more.",
        "not_finite": "**It stopped because the loss exploded or was no number; an epoch before that is kept. Look into it before use.**",
    }
    return "\n".join(
        [
            f"# Adapter for {facts['task']} on {facts['model']}",
            "",
            f"A LoRA adapter of {facts['n_trainable']:,} parameters for a base of {facts['n_parameters']:,}. "
            "It works only on exactly the base named below, and was trained to answer exactly one prompt.",
            "",
            "**Intended use: research.** Not a medical device. It was measured on the data named here and nowhere else; check it on "
            "your own before you rely on it. A model can memorize what it was trained on: treat this folder like the notes themselves.",
            "",
            "| | |",
            "|---|---|",
            *(
                f"| {name} | {value} |"
                for name, value in {
                    "digest": facts["digest"],
                    "base": facts["base"],
                    "base revision": facts["base_revision"],
                    "prompt (SHA-256)": facts["prompt_sha"],
                    "training examples": f"{facts['n_train']:,} (digest {facts['train_digest'][:16]})",
                    "validation examples": f"{facts['n_validation']:,} (digest {facts['validation_digest'][:16]})",
                    "texts shortened to fit": f"{facts['n_cut']:,} (head and tail kept)",
                    "trained on": f"{facts['device']}, {facts['seconds']:,.0f} s, {facts['n_steps']:,} steps, "
                    f"{facts['tokens_per_second']:,.0f} tokens/s, peak memory {facts['peak_bytes'] / 1e9:.2f} GB",
                    "libraries": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
                }.items()
            ),
            "",
            "## How it learned",
            "",
            f"{ends[facts['stopped']]} The weights are those of epoch {facts['best_epoch']}, the best on the validation examples, "
            "which chose it and therefore flatter it a little: what it is worth is measured on a test set.",
            "",
            f"| {' | '.join(names)} |",
            f"|{'--:|' * len(names)}",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"Losses are nats a token of the answer (weighted); that of the base on validation is {facts['base_validation_loss']:.4g}. "
            "The loss is on the answer and the end of the turn, never on the note.",
            "",
            "## Settings",
            "",
            "| setting | value |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in settings.items()),
            "",
        ]
    )


def _told(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
