"""Annotated documents as JSON lines, the form in which other tools' annotations can be given: one document a line.

``{"doc_id": "n1", "text": "...", "split": "train", "mentions": [{"start": 0, "end": 4, "entity_type": "disease", "concept_codes":
["SNOMED:92818009"]}], "relations": [{"chemical_code": "...", "disease_code": "..."}]}``; split and lists may be left out.
"""

from __future__ import annotations

import json
from typing import Any

from clinical_assets.entities.corpora.annotated import AnnotatedDocument, Mention, Parsed, Reject, without_overlaps
from clinical_assets.storage.entity_contracts import CORPUS_SPLITS, ENTITY_TYPES

__all__ = ["parse_document_lines"]

_MENDS = {
    "malformed_line": "expected one JSON object a line with doc_id and text (both text, not empty)",
    "unknown_split": f"split is one of {', '.join(CORPUS_SPLITS)}, or left out",
    "malformed_mention": "a mention is {start, end, entity_type} and optionally concept_codes, a list of texts",
    "bad_offset": "start and end are whole numbers with start < end within the text",
    "unknown_entity_type": f"entity_type is one of {', '.join(ENTITY_TYPES)}",
    "overlapping_mention": "another mention covers these characters; of those that overlap the longest is kept",
    "malformed_relation": "a relation is {chemical_code, disease_code}, both text",
}


def parse_document_lines(text: str) -> Parsed:
    """Read JSON lines; what cannot be used is set aside and said."""
    parsed = Parsed()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        _read(row, number, parsed)
    return parsed


def _read(row: Any, number: int, parsed: Parsed) -> None:
    def reject(reason: str, doc_id: str | None) -> None:
        parsed.rejects.append(Reject(number, doc_id, reason, _MENDS[reason]))

    if not isinstance(row, dict) or not _said(row.get("doc_id")) or not _said(row.get("text")):
        reject("malformed_line", None)
        return
    doc_id, text, split = str(row["doc_id"])[:64], row["text"], row.get("split")
    if split is not None and split not in CORPUS_SPLITS:
        reject("unknown_split", doc_id)
        return
    mentions: list[Mention] = []
    for one in _listed(row.get("mentions")):
        found = _mention(one, len(text))
        if isinstance(found, str):
            reject(found, doc_id)
        else:
            mentions.append(found)
    relations: set[tuple[str, str]] = set()
    for one in _listed(row.get("relations")):
        pair = (one.get("chemical_code"), one.get("disease_code")) if isinstance(one, dict) else (None, None)
        if _said(pair[0]) and _said(pair[1]):
            relations.add((str(pair[0]), str(pair[1])))
        else:
            reject("malformed_relation", doc_id)
    kept, others = without_overlaps(set(mentions))
    for _ in others:
        reject("overlapping_mention", doc_id)
    parsed.documents.append(AnnotatedDocument(doc_id, text, tuple(kept), tuple(sorted(relations)), split, number))


def _said(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _mention(one: Any, n_chars: int) -> Mention | str:
    if not isinstance(one, dict):
        return "malformed_mention"
    start, end, kind, codes = (
        one.get("start"),
        one.get("end"),
        one.get("entity_type"),
        _listed(one.get("concept_codes")),
    )
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= n_chars:
        return "bad_offset"
    if kind not in ENTITY_TYPES:
        return "unknown_entity_type"
    if not all(_said(code) for code in codes):
        return "malformed_mention"
    return Mention(start, end, str(kind), tuple(dict.fromkeys(str(code) for code in codes)))
