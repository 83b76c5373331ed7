"""Evidence search: a question, its entities and words, and the sentences of notes and documents that speak of them, ranked and cited.

What comes back holds words of notes: it is for the caller alone. Nothing is written and nothing is logged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from clinical_assets.labels.assertion import AssertionEngine, Section, SectionIndex
from clinical_assets.labels.folding import fold
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.notes.sections import find_sections
from clinical_assets.storage.lake import Lake

__all__ = ["MAX_QUESTION", "Passage", "search"]

MAX_QUESTION = 1_000  # characters
_TEXTS = 2_000  # texts that are split into sentences; those that hold the rarest words of the question
_K1, _B = 1.2, 0.75  # of BM25
_WORD = re.compile(r"[a-z0-9]+")
_STOP = frozenset(
    """a about after again against all am an and any are as at be because been before being below between both but by can could did do
    does doing down during each few for from further had has have having he her here hers him his how i if in into is it its itself
    just me more most my no nor not of off on once only or other our out over own patient patients same she should show so some such
    than that the their them then there these they this those through to too under until up very was we were what when where which
    while who whom why will with would you your evidence find tell""".split()
)


@dataclass(frozen=True)
class Passage:
    """A sentence that speaks of the question.

    Attributes
    ----------
    source
        note | document.
    doc_id
        note_id as text, or the id of the document.
    note_id, person_id, date
        Of a note; None (date: empty) for a document.
    corpus
        Of a document; empty for a note.
    start, end
        Offsets of the sentence in the text of the note or document.
    score
        BM25 over words and entities, times the share of them that is held; comparable within one question only.
    words
        Words of the question that are in it.
    said
        (word, assertion) of those words, of a note; empty for documents.
    entities
        (entity_key, assertion) of the question's entities in it, as entities/mentions has it; where a note was not extracted, of the
        first name in the sentence. Empty for documents.
    n_same
        How many sentences say the same, word for word (copied notes); this is the latest.
    text
        The sentence (PHI).
    """

    source: str
    doc_id: str
    start: int
    end: int
    score: float
    text: str
    note_id: int | None = None
    person_id: int | None = None
    date: str = ""
    corpus: str = ""
    words: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    entities: tuple[tuple[str, str], ...] = ()
    n_same: int = 1


@dataclass
class _Found:
    """A text that may hold evidence."""

    row: dict[str, Any]
    mentions: list[tuple[int, int, str, str]] = field(default_factory=list)  # start, end, key, assertion


def search(
    lake: Lake, question: str, *, limit: int = 10, persons: Collection[int] | None = None, documents: bool = True
) -> list[Passage]:
    """Return the sentences that speak most of a question, best first.

    Parameters
    ----------
    lake
        Reads notes/notes, entities/mentions and entities/corpus_documents; what is not there is not searched.
    question
        Words, at most MAX_QUESTION characters. Names of entities count for all names of the same entity.
    limit
        Sentences at most.
    persons
        Only notes of these persons; then no documents.
    documents
        Search the landed corpora as well.

    Returns
    -------
    list of Passage
        Ranked by BM25 (Robertson & Zaragoza 2009, k1 1.2, b 0.75) of sentences, with document frequencies of whole texts, times the share
        of the question's words and entities that the sentence holds; an entity counts like a word, and no sentence counts as shorter
        than the mean. Equal sentences are put together. Empty where nothing is found.

    Raises
    ------
    ValueError
        If the question is too long or holds nothing to look for, or `limit` is below 1.
    """
    if len(question) > MAX_QUESTION:
        raise ValueError(f"the question has {len(question)} characters; at most {MAX_QUESTION} are read")
    if limit < 1:
        raise ValueError(f"limit is {limit}; expected at least 1")
    words = list(dict.fromkeys(word for word in _WORD.findall(fold(question)) if word not in _STOP and len(word) > 1))
    if not words:
        raise ValueError("the question holds no word to look for; name a drug, a condition or a finding")
    with duckdb.connect() as connection:
        connection.execute("set threads = 2")
        _attach(connection, lake)
        forms = _entities(connection, question)
        # what an entity stands for would count twice as a word
        covered = {word for names in forms.values() for name in names for word in _named_in(question, name)}
        terms = _Terms([word for word in words if word not in covered], forms)
        texts = _texts(connection, terms, persons, documents and persons is None)
    ranked = sorted(_passages(texts, terms), key=lambda p: (-p.score, p.source, p.doc_id, p.start))
    return _assessed(_distinct(ranked)[:limit], texts, terms)


class _Terms:
    """What is looked for: words, and the names of each entity of the question; with their weights once known."""

    def __init__(self, words: Sequence[str], forms: Mapping[str, Collection[str]]) -> None:
        self.forms = {key: _any_of(names) for key, names in forms.items()}
        self.patterns = {word: rf"\b{word}s?\b" for word in words}
        self.weights: dict[str, float] = {}
        self.n_asked = len(words) + len(forms)

    def weigh(self, n: int, seen: Mapping[str, int]) -> None:
        """Inverse document frequencies, of n texts."""
        self.weights = {term: math.log1p((n - df + 0.5) / (df + 0.5)) for term, df in seen.items()}


def _named_in(question: str, name: str) -> list[str]:
    """Return the words of a name if the question holds them in a row."""
    words = _WORD.findall(fold(name))
    return words if words and f" {' '.join(words)} " in f" {' '.join(_WORD.findall(fold(question)))} " else []


def _any_of(names: Iterable[str]) -> str:
    return r"\b(?:" + "|".join(re.escape(name) for name in sorted(names, key=lambda n: (-len(n), n))) + r")\b"


def _attach(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    for view, table in (
        ("notes", "notes/notes"),
        ("mentions", "entities/mentions"),
        ("documents", "entities/corpus_documents"),
    ):
        if lake.is_local:
            files = ", ".join("'" + path.replace("'", "''") + "'" for path in lake.files(table))
            connection.execute(
                f"create view {view} as from read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
            )
        else:
            connection.register(view, lake.read_all(table))


def _entities(connection: duckdb.DuckDBPyConnection, question: str) -> dict[str, set[str]]:
    """Return entity_key -> its names in lower case, for the entities that the question names."""
    asked = " " + " ".join(_WORD.findall(fold(question))) + " "
    rows = connection.execute(
        """
        with names as (
            select distinct entity_key, lower(unnest([normalised, concept_name, text])) as name from mentions
        ),
        plain as (
            select entity_key, name, ' ' || trim(regexp_replace(name, '[^a-z0-9]+', ' ', 'g')) || ' ' as spaced
            from names where name is not null and length(name) between 2 and 200
        ),
        keys as (select distinct entity_key from plain where length(trim(spaced)) > 1 and contains(?, spaced))
        select entity_key, list(distinct name) from plain semi join keys using (entity_key) group by all order by all
        """,
        [asked],
    ).fetchall()
    return {key: set(names) for key, names in rows}


def _texts(
    connection: duckdb.DuckDBPyConnection, terms: _Terms, persons: Collection[int] | None, documents: bool
) -> list[_Found]:
    """Return the texts that hold the rarest terms, with the mentions of asked entities; weigh the terms on the way."""
    connection.execute(
        """
        create table texts as
        select 'note' as source, cast(note_id as varchar) as doc_id, note_id, person_id, cast(note_date as varchar) as date, '' as corpus,
            text, text_sha256
        from notes where status = 'usable' qualify row_number() over (partition by note_id order by note_date desc, batch desc) = 1
        """
        + (
            "union all by name select 'document' as source, doc_id, '' as date, corpus, text, text_sha256 from documents"
            if documents
            else ""
        )
    )
    if persons is not None:
        connection.execute(
            "delete from texts where person_id is null or person_id not in (select unnest(?))", [list(persons)]
        )
    looked_for = {**terms.patterns, **terms.forms}
    flags = ", ".join(f"regexp_matches(lower(text), ?) as t{i}" for i in range(len(looked_for)))
    connection.execute(f"create table hits as select rowid as r, {flags} from texts", list(looked_for.values()))
    sums = ", ".join(f"coalesce(sum(t{i}::int), 0)" for i in range(len(looked_for)))
    n, *seen = connection.sql(f"select count(*), {sums} from hits").fetchall()[0]
    terms.weigh(n, dict(zip(looked_for, seen, strict=True)))
    score = " + ".join(f"t{i}::int * {terms.weights[term]!r}" for i, term in enumerate(looked_for))
    rows = connection.sql(
        f"select * exclude (r, held) from (select r, {score} as held from hits) join texts on texts.rowid = r "
        f"where held > 0 order by held desc, source, doc_id limit {_TEXTS}"
    ).to_arrow_table()
    found = [_Found(row) for row in rows.to_pylist()]
    by_note = {one.row["note_id"]: one for one in found if one.row["note_id"] is not None}
    mentions = connection.execute(
        'select note_id, note_sha256, "start", "end", entity_key, assertion from mentions '
        "where entity_key in (select unnest(?)) and note_id in (select unnest(?)) order by all",
        [list(terms.forms), list(by_note)],
    ).fetchall()
    for note_id, sha, start, end, key, assertion in mentions:
        if by_note[note_id].row["text_sha256"] == sha:
            by_note[note_id].mentions.append((start, end, key, assertion))
    return found


def _passages(texts: Sequence[_Found], terms: _Terms) -> list[Passage]:
    words = {word: re.compile(pattern) for word, pattern in terms.patterns.items()}
    forms = {key: re.compile(pattern) for key, pattern in terms.forms.items()}
    sentences = [(one, start, end) for one in texts for start, end in sentence_spans(one.row["text"])]
    lengths = [len(one.row["text"][start:end].split()) for one, start, end in sentences]
    mean = sum(lengths) / len(lengths) if lengths else 1.0
    out = []
    for (one, start, end), length in zip(sentences, lengths, strict=True):
        text = one.row["text"][start:end]
        folded = fold(text)
        # being longer than usual costs; being shorter is no merit: "Nausea." answers less than the sentence that says after what
        damped = _K1 * (1 - _B + _B * max(length, mean) / mean)
        counts = {word: len(pattern.findall(folded)) for word, pattern in words.items()}
        held = tuple(word for word, n in counts.items() if n)
        said = {key: assertion for low, high, key, assertion in one.mentions if start <= low and high <= end}
        named = {key for key, pattern in forms.items() if key in said or pattern.search(folded)}
        if not held and not named:
            continue
        score = sum(terms.weights[word] * counts[word] * (_K1 + 1) / (counts[word] + damped) for word in held)
        score += sum(terms.weights[key] * (_K1 + 1) / (1 + damped) for key in named)
        # else ten sentences about the drug alone come before the one about the drug and its harm
        score *= (len(held) + len(named)) / terms.n_asked
        row = one.row
        out.append(
            Passage(
                row["source"], row["doc_id"], start, end, round(score, 4), text, row["note_id"], row["person_id"], row["date"],
                row["corpus"], held, (), tuple(sorted((key, said.get(key, "")) for key in named)),
            )
        )  # fmt: skip
    return out


def _assessed(passages: Sequence[Passage], texts: Sequence[_Found], terms: _Terms) -> list[Passage]:
    """Assess the words of notes, and the entities of those that no extractor read."""
    text_of = {one.row["note_id"]: one.row["text"] for one in texts if one.row["note_id"] is not None}
    engine = AssertionEngine()
    out = []
    for passage in passages:
        text = text_of.get(passage.note_id)
        if text is None:
            out.append(passage)
            continue
        sections = SectionIndex(
            Section(one.section, one.heading_start, one.body_start, one.body_end) for one in find_sections(text)
        )
        words = tuple(
            (word, _assertion(engine, text, sections, passage, terms.patterns[word])) for word in passage.words
        )
        told = tuple(
            (key, known or _assertion(engine, text, sections, passage, terms.forms[key]))
            for key, known in passage.entities
        )
        out.append(replace(passage, said=words, entities=told))
    return out


def _assertion(engine: AssertionEngine, text: str, sections: SectionIndex, passage: Passage, pattern: str) -> str:
    place = re.search(pattern, fold(passage.text))
    if place is None:
        return ""
    return engine.assess(text, passage.start + place.start(), passage.start + place.end(), sections).category


def _distinct(ranked: Sequence[Passage]) -> list[Passage]:
    """Put sentences of equal words together; the latest of them stands for all."""
    groups: dict[str, list[Passage]] = {}
    for passage in ranked:
        groups.setdefault(" ".join(_WORD.findall(fold(passage.text))), []).append(passage)
    out = []
    for group in groups.values():
        latest = max(group, key=lambda p: (p.date, p.doc_id))
        out.append(replace(latest, score=group[0].score, n_same=len(group)))
    return out
