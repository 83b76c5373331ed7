"""Diseases and chemicals of texts by the study's extractor: what the assets entities/notes and entities/mentions do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clinical_assets.entities.extraction import Extraction, Extractor, Found
from clinical_assets.serving.engines import engine_info
from clinical_assets.serving.models import EntitiesReply, EntitiesResult, Mention
from clinical_assets.serving.prepare import Prepared

__all__ = ["EntityEngine"]

Describe = Callable[[Prepared, int, tuple[Found, ...]], list[dict[str, Any]]]


def _bare(prepared: Prepared, index: int, found: tuple[Found, ...]) -> list[dict[str, Any]]:
    return [each._asdict() for each in found]


class EntityEngine:
    """An extractor, and what is said of its mentions.

    Parameters
    ----------
    describe
        Takes prepared texts, the position of one and what was found in it; returns one row per mention with columns of
        entities/mentions. By default a mention is characters, type and confidence alone.
    """

    def __init__(self, extractor: Extractor, describe: Describe = _bare, **identity: str) -> None:
        self._extractor, self._describe = extractor, describe
        names = ("model_revision", "adapter_sha", "prompt_sha", "decoding")
        self.info = engine_info(extractor.name, {**{name: getattr(extractor, name) for name in names}, **identity})

    def answer(self, prepared: Prepared) -> EntitiesReply:
        """Return the mentions of each text."""
        usable = [index for index, row in enumerate(prepared.rows) if row["status"] == "usable"]
        read = self._extractor.extract([prepared.rows[index]["text"] for index in usable])
        found = dict(zip(usable, read, strict=True))
        results = [self._result(prepared, index, found.get(index)) for index in range(len(prepared.ids))]
        return EntitiesReply(engine=self.info, results=results)

    def _result(self, prepared: Prepared, index: int, extraction: Extraction | None) -> EntitiesResult:
        said = prepared.read(index)
        if extraction is None or extraction.status != "extracted":
            status = "no_text" if extraction is None else extraction.status
            return EntitiesResult(**said, status=status, mentions=None)
        rows = self._describe(prepared, index, extraction.found)
        return EntitiesResult(**said, status="extracted", mentions=[_mention(prepared, index, row) for row in rows])


def _mention(prepared: Prepared, index: int, row: dict[str, Any]) -> Mention:
    start, end = prepared.span(index, row["start"], row["end"])
    others = {name: row.get(name) for name in Mention.model_fields}
    return Mention.model_validate({**others, "start": start, "end": end})
