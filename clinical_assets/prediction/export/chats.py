"""Rows as chats in JSONL (messages of system, user and assistant), one file a split, as mlx-lm, axolotl and TRL read them."""

from __future__ import annotations

import json
from pathlib import Path

from clinical_assets.prediction.classical import oversampled
from clinical_assets.prediction.language import asked as question_and_prompt
from clinical_assets.prediction.rows import record_text
from clinical_assets.prediction.store import Asked
from clinical_assets.storage.private_file import write_private

__all__ = ["export_chats"]


def export_chats(asked: Asked, folder: Path) -> dict[str, int]:
    """Write ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl`` and return their numbers of chats.

    Rows of the rarer answer stand again in the training file where the study balances, and nowhere else. The files hold patients' records.
    """
    schema, prompt = question_and_prompt(asked.question)
    written = {}
    for split in ("train", "validation", "test"):
        rows = asked.assigned.rows(split)
        if split == "train" and asked.question.models.balance != "none":
            rows = oversampled(rows, asked.dataset.y, asked.question.splits.seed)
        lines = []
        for row in rows.tolist():
            said = schema.text([bool(asked.dataset.y[row])])
            messages = prompt.messages(record_text(asked.dataset, row, asked.question.missing_text))
            lines.append(
                json.dumps({"messages": [*messages, {"role": "assistant", "content": said}]}, ensure_ascii=False)
            )
        write_private(folder / f"{split}.jsonl", "".join(f"{line}\n" for line in lines).encode())
        written[split] = len(lines)
    return written
