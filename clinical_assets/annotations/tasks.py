"""Tasks for annotation tools: notes to be read and the fields to be answered, as each tool imports them.

Every task carries note_id, text_sha256 and fields, which the tool carries through to its export (`tools` reads it back). No
labeller's answer is in a task: who sees one before reading tends to agree with it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from clinical_assets.annotations.claims import NO_FIELD

__all__ = ["FORMATS", "ReviewTask", "render", "setup_of"]


@dataclass(frozen=True)
class ReviewTask:
    """One note to be read: its text, and the fields that somebody should answer."""

    note_id: int
    text_sha256: str
    text: str
    fields: tuple[str, ...]

    @property
    def key(self) -> dict[str, Any]:
        """What ties an answer to the note."""
        return {"note_id": self.note_id, "text_sha256": self.text_sha256, "fields": list(self.fields)}


def _label_studio(tasks: Sequence[ReviewTask], definitions: Mapping[str, str]) -> str:
    return _json([{"data": {"text": task.text} | task.key} for task in tasks])


def _prodigy(tasks: Sequence[ReviewTask], definitions: Mapping[str, str]) -> str:
    return _lines(
        {
            "text": task.text,
            "options": [{"id": name, "text": f"{name}: {definitions[name]}"} for name in task.fields],
            "meta": task.key | {"fields": ",".join(task.fields)},
        }
        for task in tasks
    )


def _argilla(tasks: Sequence[ReviewTask], definitions: Mapping[str, str]) -> str:
    return _json(
        [
            {"id": f"note-{task.note_id}-{task.text_sha256[:12]}", "fields": {"text": task.text}, "metadata": task.key}
            for task in tasks
        ]
    )


def _doccano(tasks: Sequence[ReviewTask], definitions: Mapping[str, str]) -> str:
    return _lines({"text": task.text, "label": []} | task.key for task in tasks)


def _csv(tasks: Sequence[ReviewTask], definitions: Mapping[str, str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["note_id", "text_sha256", "annotator", "field", "value", "answered_at", "definition", "text"])
    for task in tasks:
        for name in task.fields:
            writer.writerow(
                [task.note_id, task.text_sha256, "", name, "", "", _cell(definitions[name]), _cell(task.text)]
            )
    return out.getvalue()


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula; what it is tied by is text_sha256, not this cell."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


# Name -> renderer, ending.
FORMATS = {
    "label_studio": (_label_studio, "json"),
    "prodigy": (_prodigy, "jsonl"),
    "argilla": (_argilla, "json"),
    "doccano": (_doccano, "jsonl"),
    "csv": (_csv, "csv"),
}


def render(tasks: Sequence[ReviewTask], format: str, definitions: Mapping[str, str]) -> bytes:
    """Return the content of an import file.

    Parameters
    ----------
    tasks
        In the order in which they should be read.
    format
        One of `FORMATS`.
    definitions
        Field -> when it is true.

    Raises
    ------
    ValueError
        If the format is not known.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    return FORMATS[format][0](tasks, definitions).encode("utf-8", "replace")


def setup_of(format: str, definitions: Mapping[str, str]) -> tuple[str, bytes] | None:
    """Return name and content of what the tool's project must be set up with for these fields; None where there is nothing."""
    if format == "label_studio":
        controls = "".join(
            f"  <Header value={quoteattr(f'{name}: {says}')}/>\n"
            f'  <Choices name={quoteattr(name)} toName="text" choice="single-radio">'
            '<Choice value="true"/><Choice value="false"/></Choices>\n'
            for name, says in definitions.items()
        )
        return "labelling_config.xml", f'<View>\n  <Text name="text" value="$text"/>\n{controls}</View>\n'.encode()
    if format == "argilla":
        questions = [
            {
                "name": name,
                "title": name,
                "description": says,
                "type": "label",
                "labels": ["true", "false"],
                "required": False,
            }
            for name, says in definitions.items()
        ]
        metadata = [
            {"name": "note_id", "type": "integer"},
            {"name": "text_sha256", "type": "terms"},
            {"name": "fields", "type": "terms"},
        ]
        return "settings.json", _json(
            {"fields": [{"name": "text", "type": "text"}], "questions": questions, "metadata": metadata}
        ).encode()
    if format == "doccano":
        return "labels.json", _json([{"text": name} for name in (*definitions, NO_FIELD)]).encode()
    return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _lines(rows: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
