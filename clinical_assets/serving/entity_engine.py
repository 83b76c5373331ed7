"""Diseases and chemicals of texts by the study's extractor: what the assets entities/notes and entities/mentions do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from clinical_assets.entities.extraction import Extraction, Extractor, Found
from clinical_assets.entities.linker import Linker
from clinical_assets.entities.mention_rows import NoteSpans, mention_rows, rows_stamp
from clinical_assets.entities.windows import extract_texts
from clinical_assets.labels.assertion import SectionIndex
from clinical_assets.serving.engines import engine_info
from clinical_assets.serving.models import EntitiesReply, EntitiesResult, Mention
from clinical_assets.serving.prepare import Prepared
from clinical_assets.storage.entity_contracts import ENTITY_IDENTITY
from clinical_assets.study.entities import Entities

__all__ = ["EntityEngine"]

_EXTRACTOR = ("model_revision", "adapter_sha", "prompt_sha", "decoding")
# What a row of mentions says of its note and its making; nobody reads it here.
_NEVER = datetime.min.replace(tzinfo=UTC)
_UNSAID = {"person_id": 0, "note_date": date.min, "batch": "", "run_id": "", "extracted_at": _NEVER}


class EntityEngine:
    """An open extractor, and the linker of its mentions."""

    def __init__(self, extractor: Extractor, linker: Linker, rules: Entities) -> None:
        self._extractor, self._linker, self._most = extractor, linker, rules.most_chars
        identity = {name: str(getattr(extractor, name)) for name in _EXTRACTOR}
        self._columns = {**dict.fromkeys(ENTITY_IDENTITY, ""), "extractor": extractor.name, **identity, **_UNSAID}
        rows = rows_stamp(linker.sha, rules.least_link_score, "")
        self.info = engine_info(extractor.name, {**identity, "linker_sha": linker.sha, "rows": rows})

    def answer(self, prepared: Prepared) -> EntitiesReply:
        """Return the mentions of each text."""
        read = [
            index
            for index, row in enumerate(prepared.rows)
            if row["status"] == "usable" and len(row["text"]) <= self._most
        ]
        texts = [prepared.rows[index]["text"] for index in read]
        found = dict(zip(read, extract_texts(self._extractor, texts), strict=True))
        spans = [self._spans(prepared, index, each.found) for index, each in found.items() if each.found]
        mentions: dict[int, list[Mention]] = {}
        for row in mention_rows(spans, self._linker, run_id="", extracted_at=_NEVER).to_pylist():
            mentions.setdefault(row["note_id"], []).append(_mention(prepared, row))
        results = [
            _result(prepared.read(index), found.get(index), mentions.get(index, []))
            for index in range(len(prepared.ids))
        ]
        return EntitiesReply(engine=self.info, results=results)

    def _spans(self, prepared: Prepared, index: int, found: tuple[Found, ...]) -> NoteSpans:
        note = prepared.rows[index]
        columns = {**self._columns, "note_id": note["note_id"], "note_sha256": note["text_sha256"]}
        return NoteSpans(columns, note["text"], lambda: SectionIndex(prepared.sections_of[index]), found)


def _result(said: dict[str, Any], extraction: Extraction | None, mentions: list[Mention]) -> EntitiesResult:
    if extraction is None:
        extraction = Extraction((), "no_text" if said["note_status"] != "usable" else "too_long")
    known = extraction.status == "extracted"
    return EntitiesResult(**said, status=extraction.status, mentions=mentions if known else None)


def _mention(prepared: Prepared, row: dict[str, Any]) -> Mention:
    start, end = prepared.span(row["note_id"], row["start"], row["end"])
    return Mention.model_validate({**{name: row[name] for name in Mention.model_fields}, "start": start, "end": end})
