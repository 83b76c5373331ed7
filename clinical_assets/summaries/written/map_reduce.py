"""Stage 1 by a model: a source that fits is summarized at once; a longer one is cut at sections and sentences, part by part.

No sentence is left out on the way in, and no part is read twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinical_assets.labels.parts import parts_of
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.language_models.texts import TextRequest, Writer, WrittenText
from clinical_assets.study.summarizing import Written
from clinical_assets.summaries.source import Source
from clinical_assets.summaries.written.stage import Wordings

__all__ = ["Document", "Drafted", "document_of", "pieces_of", "plain_document", "write_summaries"]

_LEAST_ROOM = 48  # tokens for a part; below, a summary of parts is none of the whole
_LEVELS = 4  # of combining summaries of parts
_BETWEEN = "\n\n"


@dataclass(frozen=True)
class Document:
    """A text to be summarized, with where sections and sentences begin, and the sections as (heading, start, end)."""

    text: str
    section_starts: frozenset[int]
    breaks: frozenset[int]
    sections: tuple[tuple[str, int, int], ...] = ()


@dataclass
class Drafted:
    """What a model made of one document: status (as in the contract), text, and what it took."""

    status: str
    text: str | None
    n_parts: int = 0
    n_rounds: int = 1
    rounds: list[dict[str, int]] | None = None
    n_input_tokens: int | None = 0
    n_output_tokens: int | None = 0
    seconds: float = 0.0
    reason: str | None = None
    parts: list[WrittenText] = field(default_factory=list)

    def spend(self, made: WrittenText) -> None:
        """Add what one call took; unknown tokens make the sum unknown."""
        for name in ("n_input_tokens", "n_output_tokens"):
            sum_, n = getattr(self, name), getattr(made, name)
            setattr(self, name, None if sum_ is None or n is None else sum_ + n)
        self.seconds += made.seconds or 0.0


def document_of(source: Source) -> Document:
    """Return the notes of a source as one text, loss-less, a blank line between them."""
    texts: list[str] = []
    starts: set[int] = set()
    breaks: set[int] = set()
    sections: list[tuple[str, int, int]] = []
    at = 0
    for note in source.notes:
        starts |= {at, *(at + section.heading_start for section in note.sections)}
        breaks |= {at + unit.start for unit in note.sentences()}
        sections += [
            (note.text[s.heading_start : s.body_start].strip(), at + s.heading_start, at + s.body_end)
            for s in note.sections
        ]
        texts.append(note.text)
        at += len(note.text) + len(_BETWEEN)
    named = tuple(section for section in sections if section[0])
    return Document(_BETWEEN.join(texts), frozenset(starts), frozenset(breaks | starts), named)


def plain_document(text: str) -> Document:
    """Return a text without sections, which may be cut where paragraphs and sentences begin."""
    paragraphs = {place + len(_BETWEEN) for place in range(len(text)) if text.startswith(_BETWEEN, place)}
    return Document(text, frozenset(paragraphs), frozenset({start for start, _ in sentence_spans(text)} | paragraphs))


def pieces_of(document: Document, room: int, writer: Writer) -> list[str]:
    """Return the parts of a document, each of at most `room` tokens; one that begins inside a section says in which.

    Raises
    ------
    ModelError
        If prompt and answer leave next to no room.
    """
    if room < _LEAST_ROOM:
        from clinical_assets.language_models.loading import ModelError

        raise ModelError(
            f"prompt, thought and answer leave {room} tokens for the text to be summarized; at least {_LEAST_ROOM} are needed. "
            "Lower max_new_tokens in the study's summaries.written, shorten the wording, or choose a model with a longer context"
        )
    if writer.token_count(document.text) <= room:
        return [document.text]
    longest = max((writer.token_count(_continued(name)) for name, _, _ in document.sections), default=0)
    most = max(room - longest, room // 2)
    spans = parts_of(
        document.text, document.section_starts, most, writer.token_count, overlap=0.0, breaks=document.breaks
    )
    out = []
    for start, end in spans:
        inside = [name for name, first, last in document.sections if first < start < last]
        part = document.text[start:end]
        if part.strip():
            out.append(_continued(inside[-1]) + part if inside and longest <= room // 2 else part)
    return out


def write_summaries(writer: Writer, documents: Sequence[Document], words: Wordings, rules: Written) -> list[Drafted]:
    """Return a summary of each document, in their order."""
    most = rules.verbose_max_new_tokens
    pieces = [pieces_of(document, writer.room(words.verbose, most), writer) for document in documents]
    drafts = [Drafted("summarized", None, n_parts=len(of)) for of in pieces]
    _ask(writer, drafts, pieces, words.verbose, most)
    if rules.parts == "combine":
        for _ in range(_LEVELS):
            waiting = [draft for draft in drafts if len(draft.parts) > 1 and _failure(draft.parts) is None]
            if not waiting:
                break
            room = writer.room(words.combine, most)
            again = [pieces_of(plain_document(_joined(draft.parts)), room, writer) for draft in waiting]
            fewer = [len(of) < len(draft.parts) for draft, of in zip(waiting, again, strict=True)]
            chosen = [draft for draft, less in zip(waiting, fewer, strict=True) if less]
            if not chosen:
                break
            _ask(writer, chosen, [of for of, less in zip(again, fewer, strict=True) if less], words.combine, most)
    for draft in drafts:
        settle(draft)
    return drafts


def settle(draft: Drafted) -> None:
    """Make one text and one status of the parts: a part without text leaves none, a part that is cut makes the whole cut."""
    failed = _failure(draft.parts)
    if failed is not None:
        draft.status, draft.text, draft.reason = failed.status, None, failed.reason
        return
    draft.text = _joined(draft.parts)
    cut = next((part for part in draft.parts if part.status != "written"), None)
    if cut is not None:
        draft.status, draft.reason = cut.status, cut.reason


def _ask(writer: Writer, drafts: Sequence[Drafted], pieces: Sequence[Sequence[str]], prompt: Any, most: int) -> None:
    places = [(draft, at) for draft, of in zip(drafts, pieces, strict=True) for at in range(len(of))]
    requests = [TextRequest(prompt, {"note": piece}, most) for of in pieces for piece in of]
    for draft, of in zip(drafts, pieces, strict=True):
        draft.parts = [WrittenText("unavailable", None)] * len(of)
    for index, made in writer.write(requests):
        draft, at = places[index]
        draft.parts[at] = made
        draft.spend(made)


def _failure(parts: Iterable[WrittenText]) -> WrittenText | None:
    """Return the part for which the whole has no text: of several one that will be asked again."""
    failed = [part for part in parts if part.text is None]
    return min(failed, key=lambda part: part.status != "unavailable", default=None)


def _joined(parts: Iterable[WrittenText]) -> str:
    return _BETWEEN.join(part.text for part in parts if part.text)


def _continued(heading: str) -> str:
    return f"{heading} (continued)\n"
