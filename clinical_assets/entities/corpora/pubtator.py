"""PubTator files: BC5CDR (types Chemical and Disease, CID relations) and the NCBI disease corpus (classes of disease).

A document is ``<id>|t|<title>``, ``<id>|a|<abstract>``, then lines of tabs: ``id start end text type code`` for a mention (with the
parts of a composite after it) and ``id CID chemical disease`` for a relation. Offsets count characters of title, a blank, abstract.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from clinical_assets.entities.corpora.annotated import AnnotatedDocument, Mention, Parsed, Reject, without_overlaps

__all__ = ["CODE_PREFIX", "parse_pubtator"]

_TEXT_LINE = re.compile(r"([^|\t]{1,64})\|([ta])\|(.*)", re.DOTALL)
_NUMBER = re.compile(r"\d{1,9}")
_TYPES = {
    "chemical": "chemical",
    "drug": "chemical",
    "disease": "disease",
    # classes of the NCBI disease corpus (Dogan, Leaman & Lu 2014)
    "specificdisease": "disease",
    "diseaseclass": "disease",
    "modifier": "disease",
    "compositemention": "disease",
}
CODE_PREFIX = "MESH:"  # a code without one is MeSH's: that is what PubTator's corpora give
_NO_CODE = {"", "-1", "-"}
_MENDS = {
    "malformed_line": "expected id|t|title, id|a|abstract, or tabs: id start end text type code; mend or remove the line",
    "unknown_document": "the line names no document of this block; a document is its title, its abstract, then its lines",
    "no_abstract": "the document has no line id|a|abstract, or none with text; add it (title and abstract give the offsets)",
    "bad_offset": "start and end are whole numbers with start < end within the document; export the offsets again",
    "text_differs_at_offset": "the document has other characters there than the line says; export offsets and text together",
    "unknown_entity_type": f"the type is none of {', '.join(sorted(_TYPES))}; map it or leave it out",
    "overlapping_mention": "another mention covers these characters; of those that overlap the longest is kept",
    "unknown_relation": "the relation is not CID, the one kind that is read",
    "incomplete_relation": "a relation needs the codes of a chemical and of a disease (not -1)",
    "duplicate_relation": "the same relation stands there twice; one is kept",
}


@dataclass
class _Block:
    doc_id: str
    line_number: int
    title: str | None = None
    abstract: str | None = None
    lines: list[tuple[int, list[str]]] = field(default_factory=list)


def parse_pubtator(text: str) -> Parsed:
    """Read a PubTator file; what cannot be used is set aside, line by line or document by document, and said."""
    parsed = Parsed()
    for block in _blocks(text, parsed.rejects):
        document = _document(block, parsed.rejects)
        if document is not None:
            parsed.documents.append(document)
    return parsed


def _reject(line: int, doc_id: str | None, reason: str) -> Reject:
    return Reject(line, doc_id, reason, _MENDS[reason])


def _blocks(text: str, rejects: list[Reject]) -> Iterator[_Block]:
    """Yield documents: a title line starts one, whether or not a blank line stands before it."""
    block: _Block | None = None
    # not splitlines: it also breaks at characters that may stand in a text, such as U+2028
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.rstrip("\r")
        if not line.strip():
            continue
        said = _TEXT_LINE.fullmatch(line)
        if said and said[2] == "t":
            if block is not None:
                yield block
            block = _Block(said[1].strip(), number, title=said[3])
            continue
        doc_id = (said[1] if said else line.split("\t", 1)[0]).strip()
        if block is None or doc_id != block.doc_id:
            known = said is not None or "\t" in line
            rejects.append(
                _reject(number, doc_id[:64] if known else None, "unknown_document" if known else "malformed_line")
            )
        elif said and block.abstract is None:
            block.abstract = said[3]
        elif said:
            rejects.append(_reject(number, block.doc_id, "malformed_line"))
        else:
            block.lines.append((number, line.split("\t")))
    if block is not None:
        yield block


def _document(block: _Block, rejects: list[Reject]) -> AnnotatedDocument | None:
    if block.abstract is None or not f"{block.title}{block.abstract}".strip():
        rejects.append(_reject(block.line_number, block.doc_id, "no_abstract"))
        return None
    text = f"{block.title} {block.abstract}"
    mentions: dict[Mention, int] = {}
    relations: list[tuple[str, str]] = []
    for number, fields in block.lines:
        is_mention = len(fields) >= 5 and fields[1].strip().lstrip("-").isdigit()
        found = _mention(fields, text) if is_mention else _relation(fields, relations)
        if isinstance(found, str):
            rejects.append(_reject(number, block.doc_id, found))
        elif isinstance(found, Mention):
            mentions.setdefault(found, number)
        else:
            relations.append(found)
    kept, others = without_overlaps(mentions)
    rejects += [_reject(mentions[one], block.doc_id, "overlapping_mention") for one in others]
    return AnnotatedDocument(block.doc_id, text, tuple(kept), tuple(sorted(relations)), None, block.line_number)


def _mention(fields: list[str], text: str) -> Mention | str:
    """Return the mention of a line, or the reason why there is none."""
    if not (_NUMBER.fullmatch(fields[1].strip()) and _NUMBER.fullmatch(fields[2].strip())):
        return "bad_offset"
    start, end = int(fields[1]), int(fields[2])
    if not start < end <= len(text):
        return "bad_offset"
    if text[start:end] != fields[3]:
        return "text_differs_at_offset"
    kind = _TYPES.get(fields[4].strip().lower())
    if kind is None:
        return "unknown_entity_type"
    return Mention(start, end, kind, _codes(fields[5] if len(fields) > 5 else ""))


def _codes(said: str) -> tuple[str, ...]:
    """Return the codes of a field: several are joined by | (each of them) or + (together one thing, kept as several)."""
    parts = (part.strip().removeprefix("*") for part in re.split(r"[|+]", said))
    named = (part if ":" in part else CODE_PREFIX + part for part in parts if part not in _NO_CODE)
    return tuple(dict.fromkeys(named))


def _relation(fields: list[str], before: list[tuple[str, str]]) -> tuple[str, str] | str:
    if len(fields) < 4 or not re.fullmatch(r"[A-Za-z_]{1,32}", fields[1].strip()):
        return "malformed_line"
    if fields[1].strip() != "CID":
        return "unknown_relation"
    chemical, disease = _codes(fields[2]), _codes(fields[3])
    if len(chemical) != 1 or len(disease) != 1:
        return "incomplete_relation"
    pair = (chemical[0], disease[0])
    return "duplicate_relation" if pair in before else pair
