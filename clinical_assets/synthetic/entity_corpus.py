"""A small annotated corpus for the demo: notes of persons who are in no demo hospital, case reports with drug-induced diseases, results.

Written as PubTator files, the form in which public corpora come. Gold follows from what was written, only; every word is made from a seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.synthetic.concepts import CONCEPTS
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.hospital import build_person
from clinical_assets.synthetic.lexicon import LEXICON
from clinical_assets.synthetic.note_text import Entity
from clinical_assets.synthetic.note_writer import Landed, write_notes
from clinical_assets.synthetic.odd_notes import lab_printout
from clinical_assets.synthetic.write import publish

__all__ = ["CORPUS_FILES", "corpus_pubtator", "write_corpus"]

CORPUS_FILES = {"train": "demo_train.PubTator.txt", "dev": "demo_dev.PubTator.txt"}
_SIZES = {"train": (150, 50), "dev": (30, 20)}  # notes, case reports
_NOTES_A_PRINTOUT = 20
_OTHER_SEED = 7_000_003  # added to the hospital's: the same laws, other persons
_TYPES = {"CHEMICAL": "Chemical", "DISEASE": "Disease"}
_CODES = {c.concept_id: f"{c.vocabulary}:{c.code}" for c in CONCEPTS.values()}
_SLOT = re.compile(r"\{([cd])(\d)(\*?)\}")
# {c0} a drug, {d0} a disease, {d0*} its long form with the short one in brackets, where it has both; C0>D0: the text says that the
# drug induced the disease. Other pairs of a document are what a relation must not be taken for.
_TITLES = (
    ("{c0}-induced {d0} in a patient with {d1}.", "00"),
    ("{d0} associated with {c0} therapy: a case report.", "00"),
    ("{c0} for {d1}.", ""),
    ("Treatment of {d1*} with {c0}.", ""),
)
_SENTENCES = (
    ("A patient with {d1*} was given {c0}.", ""),
    ("{c0} was started for {d1} and {d1} improved.", ""),
    ("Two weeks later {d0} developed, which was attributed to {c0}.", "00"),
    ("{d0} resolved after {c0} was stopped and came back on rechallenge.", "00"),
    ("She developed {d0} while taking {c0} for {d1}.", "00"),
    ("{c0}-induced {d0} is a known adverse effect.", "00"),
    ("{c1} was well tolerated and there was no {d2}.", ""),
    ("{c1} was continued for {d2} without any adverse effect.", ""),
    ("He had taken {c1} for {d2*} for many years.", ""),
    ("Laboratory values were normal, and the dose of {c0} was 400 mg daily.", ""),
    ("{c1} can cause {d2}.", "12"),
    ("{d2} was caused by {c1} and not by {c0}.", "12"),
    ("In patients with {d1}, {c0} and {c1} were compared.", ""),
    ("There was no evidence that {c1} caused {d0}.", ""),
)


@dataclass(frozen=True)
class _Document:
    doc_id: str
    title: str
    abstract: str
    mentions: tuple[tuple[int, int, str, str], ...]  # start, end, type, code
    relations: tuple[tuple[str, str], ...] = ()


def corpus_pubtator(split: str, *, seed: int = 20250630) -> str:
    """Return one split (train or dev) as a PubTator file; the same seed, the same text."""
    n_notes, n_reports = _SIZES[split]
    n_printouts = n_notes // _NOTES_A_PRINTOUT
    offset = list(_SIZES).index(split)
    notes = _notes(seed + _OTHER_SEED + offset, n_notes, split)
    reports = (_report(Dice(seed, 1_000 * offset + i, 91), f"{split}_report_{i + 1}") for i in range(n_reports))
    printouts = (_printout(Dice(seed, 1_000 * offset + i, 92), f"{split}_printout_{i + 1}") for i in range(n_printouts))
    return "\n".join(_block(document) for document in (*notes, *reports, *printouts))


def write_corpus(landing: Path, *, seed: int = 20250630) -> list[Path]:
    """Write both splits to ``landing/corpora/``, each whole or not at all; return where."""
    paths = [landing / "corpora" / name for name in CORPUS_FILES.values()]
    for split, path in zip(CORPUS_FILES, paths, strict=True):
        publish(path, corpus_pubtator(split, seed=seed).encode())
    return paths


def _block(document: _Document) -> str:
    text = f"{document.title} {document.abstract}"
    lines = [f"{document.doc_id}|t|{document.title}", f"{document.doc_id}|a|{document.abstract}"]
    lines += [
        f"{document.doc_id}\t{start}\t{end}\t{text[start:end]}\t{kind}\t{code}"
        for start, end, kind, code in document.mentions
    ]
    lines += [f"{document.doc_id}\tCID\t{chemical}\t{disease}" for chemical, disease in document.relations]
    return "\n".join(lines) + "\n"


def _notes(seed: int, n: int, split: str) -> Iterator[_Document]:
    """Yield n notes of other persons, at most two of each; line ends become blanks, so that offsets stay.

    One in three tells of a harm: among all notes so few do that nothing could be learned from these.
    """
    config, index, made = HospitalConfig(seed=seed, n_persons=n), 0, 0
    left = {True: n // 3, False: n - n // 3}
    while any(left.values()):
        chart = build_person(config, index)
        index += 1
        told = [
            note for note in write_notes(chart, seed) if note.gold is not None and not note.text.startswith("<html>")
        ]
        for note in _two(told, left):
            assert note.gold is not None
            left[bool(note.gold.harms)] -= 1
            title = "Clinic note."
            text = re.sub(r"[\r\n\t]", " ", note.text)
            made += 1
            mentions = tuple(_mention(e, len(title) + 1) for e in sorted(note.gold.entities, key=lambda e: e.start))
            pairs = {(_coded(drug), _coded(disease)) for drug, disease in note.gold.harms}
            relations = tuple(sorted(pair for pair in pairs if "-1" not in pair))
            yield _Document(f"{split}_note_{made}", title, text, mentions, relations)


def _two(told: list[Landed], left: Mapping[bool, int]) -> list[Landed]:
    """Return the first note that tells of a harm and the first that does not, where such are still wanted."""
    firsts = (
        next((note for note in told if note.gold is not None and bool(note.gold.harms) is tells), None)
        for tells in (True, False)
        if left[tells]
    )
    return [note for note in firsts if note is not None]


def _mention(entity: Entity, shift: int) -> tuple[int, int, str, str]:
    code = _coded(entity.key)
    return entity.start + shift, entity.end + shift, _TYPES[entity.kind], code


def _printout(dice: Dice, doc_id: str) -> _Document:
    """Write laboratory results, which name no disease: who never saw any takes LDH for one."""
    return _Document(doc_id, "Laboratory results.", " ".join(lab_printout(dice, dice.whole(2, 4)).split()), ())


def _report(dice: Dice, doc_id: str) -> _Document:
    """Write a case report: which drug induced which disease follows from its sentences."""
    chemicals = dice.some([key for key, term in LEXICON.items() if term.kind == "CHEMICAL" and term.concept_id], 2)
    diseases = dice.some([key for key, term in LEXICON.items() if term.kind == "DISEASE" and term.concept_id], 3)
    chosen = {f"c{i}": key for i, key in enumerate(chemicals)} | {f"d{i}": key for i, key in enumerate(diseases)}
    surfaces = {slot: dice.pick(LEXICON[key].surfaces) for slot, key in chosen.items()}
    phrases = [dice.pick(_TITLES), *dice.some(_SENTENCES, dice.whole(4, 7))]
    texts, mentions, length = [], [], 0
    for phrase, _ in phrases:
        text, found = _written(phrase, chosen, surfaces)
        mentions += [(start + length, end + length, kind, code) for start, end, kind, code in found]
        texts.append(text)
        length += len(text) + 1
    pairs = {(chosen[f"c{said[0]}"], chosen[f"d{said[1]}"]) for _, said in phrases if said}
    relations = sorted({(_coded(chemical), _coded(disease)) for chemical, disease in pairs})
    return _Document(doc_id, texts[0], " ".join(texts[1:]), tuple(mentions), tuple(relations))


def _coded(key: str) -> str:
    return _CODES.get(LEXICON[key].concept_id or 0, "-1")


def _written(
    phrase: str, chosen: dict[str, str], surfaces: dict[str, str]
) -> tuple[str, list[tuple[int, int, str, str]]]:
    out, mentions, at = "", [], 0
    for slot in _SLOT.finditer(phrase):
        out += phrase[at : slot.start()]
        at = slot.end()
        name = f"{slot[1]}{slot[2]}"
        kind, code = _TYPES[LEXICON[chosen[name]].kind], _coded(chosen[name])
        forms = [_capital(surfaces[name]) if not out else surfaces[name]]
        if slot[3]:
            forms = _long_and_short(LEXICON[chosen[name]].surfaces) or forms
        for i, form in enumerate(forms):
            out += " (" if i else ""
            mentions.append((len(out), len(out) + len(form), kind, code))
            out += form + (")" if i else "")
    return out + phrase[at:], mentions


def _capital(surface: str) -> str:
    return surface[0].upper() + surface[1:]


def _long_and_short(surfaces: tuple[str, ...]) -> list[str]:
    long = next((s for s in surfaces if " " in s and s[0].islower()), None)
    short = next((s for s in surfaces if s.isupper() and s.isalpha() and len(s) > 1), None)
    return [long, short] if long and short else []
