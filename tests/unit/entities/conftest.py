"""A lake with one batch of notes, a small vocabulary, extractors by script, for the tests of mentions."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.entities.batch import EntityRun, extract_batch
from clinical_assets.entities.choice import ChosenExtractor
from clinical_assets.entities.concepts import Concept, ConceptName, Vocabulary, normalised
from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.entities.linker import Linker
from clinical_assets.notes.sections import sections_table
from clinical_assets.storage.contracts import NOTES, SECTIONS, VOLATILE
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

CONDITIONS = {
    134603: "Chronic myeloid leukemia", 201826: "Type 2 diabetes mellitus", 140673: "Hypothyroidism", 320128: "Essential hypertension",
    31967: "Nausea",
}  # fmt: skip
DRUGS = {1304107: "imatinib", 1358436: "dasatinib", 1550557: "prednisolone", 1308216: "lisinopril"}


def names_of(conditions: dict[int, str] | None = None, drugs: dict[int, str] | None = None) -> Vocabulary:
    """Return a vocabulary of conditions and drugs; by default a small one, with a brand and a synonym."""
    whole = conditions is None and drugs is None
    kinds = {"disease": CONDITIONS if whole else conditions or {}, "chemical": DRUGS if whole else drugs or {}}
    concepts, rows = {}, []
    for kind, known in kinds.items():
        for concept_id, name in known.items():
            concepts[concept_id] = Concept(
                concept_id, name, "SNOMED" if kind == "disease" else "RxNorm", str(concept_id)
            )
            rows.append(ConceptName(kind, concept_id, normalised(name), 0))
    if whole:
        rows += [ConceptName("chemical", 1358436, "sprycel", 2), ConceptName("disease", 320128, "hypertension", 1)]
    return Vocabulary(concepts, tuple(sorted(rows)))


def study_of(**entities: Any) -> Study:
    """Return a study with these rules for entities."""
    field = {"name": "cml", "definition": "The patient has leukemia.", "terms": ["CML"]}
    return Study.model_validate(
        {
            "name": "tiny", "schema_version": "1", "fields": [field], "entities": entities,
            "summaries": {"entities": {"disease": ["cml"]}},
        }
    )  # fmt: skip


class Scripted:
    """Finds words by a pattern per type, and remembers what it was asked."""

    name, adapter_sha, prompt_sha, decoding = "scripted", "", "", "matcher"

    def __init__(
        self,
        words: dict[str, str] | None = None,
        revision: str = "1",
        says: Callable[[str, Extraction], Extraction] = lambda text, said: said,
    ) -> None:
        self.words = words or {"disease": r"\bCML\b|nausea|leukemia", "chemical": r"imatinib|Gleevec"}
        self.model_revision, self.says = revision, says
        self.asked: list[str] = []
        self.n_opened = 0

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        for text in texts:
            self.asked.append(text)
            hits = ((m.start(), m.end(), kind) for kind, p in self.words.items() for m in re.finditer(p, text))
            yield self.says(text, Extraction(tuple(Found(*hit, 0.5) for hit in sorted(hits))))

    def chosen(self) -> ChosenExtractor:
        @contextlib.contextmanager
        def open_(_log: Any) -> Iterator[Any]:
            self.n_opened += 1
            yield self

        names = ("model_revision", "adapter_sha", "prompt_sha", "decoding")
        return ChosenExtractor({"extractor": self.name, **{name: getattr(self, name) for name in names}}, open_)


class Bench:
    """A lake with one batch; notes are numbered from 1."""

    def __init__(self, lake: Lake, models: Path) -> None:
        self.lake, self.models, self.n_runs = lake, models, 0

    def land(self, *texts: str, status: dict[int, str] | None = None) -> None:
        rows = [
            {
                "note_id": k, "person_id": k * 10, "note_date": date(2020, 1, 1), "text": text, "n_chars": len(text),
                "text_sha256": hashlib.sha256(text.encode()).hexdigest(), "status": (status or {}).get(k, "usable"),
                "batch": "b", "source_file_sha256": "f", "ingested_at": datetime.now(UTC),
            }
            for k, text in enumerate(texts, 1)
        ]  # fmt: skip
        notes = pa.Table.from_pylist(rows, schema=NOTES)
        self.lake.write("notes/notes", notes, NOTES, batch="b")
        self.lake.write("notes/sections", sections_table(notes), SECTIONS, batch="b")

    def run(
        self,
        extractor: Scripted,
        *,
        scope: Sequence[int] | None = None,
        names: Vocabulary | None = None,
        log: Callable[[str], None] = lambda line: None,
        **entities: Any,
    ) -> EntityRun:
        self.n_runs += 1
        study = study_of(**entities)
        linker = Linker(names if names is not None else names_of(), self.models, study.entities.least_link_score)
        return extract_batch(
            self.lake, extractor.chosen(), linker, study, "b", scope,
            run_id=f"run {self.n_runs}", extracted_at=datetime(2024, 1, self.n_runs, tzinfo=UTC), log=log,
        )  # fmt: skip

    def rows(self, table: str = "mentions") -> list[dict[str, Any]]:
        """What does not tell when and by which run a row was made."""
        rows = self.lake.read(f"entities/{table}", "b").to_pylist()
        return [{k: v for k, v in row.items() if k not in VOLATILE} for row in rows]

    def statuses(self) -> dict[int, str]:
        return {row["note_id"]: row["status"] for row in self.rows("notes")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Lake(tmp_path / "lake"), tmp_path / "models")
