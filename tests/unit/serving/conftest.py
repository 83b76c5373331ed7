"""A running app over the shipped study, with an extractor of entities that knows one word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from clinical_assets.entities.concepts import Vocabulary
from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.entities.linker import Linker
from clinical_assets.serving.app import build_app
from clinical_assets.serving.engines import Engines
from clinical_assets.serving.entity_engine import EntityEngine
from clinical_assets.serving.label_engine import LabelEngine
from clinical_assets.serving.models import TASKS
from clinical_assets.serving.settings import ServingSettings
from clinical_assets.serving.summary_engine import SummaryEngine
from clinical_assets.serving.tokens import load_tokens
from clinical_assets.study.load import load_study
from clinical_assets.summaries.vocabulary import vocabulary_of

TOKEN = "t0ken-" + "a" * 40
LABELS_ONLY = "l4bels-" + "b" * 40
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class OneWord:
    """Finds imatinib, and fails on texts that say so."""

    name, model_revision, adapter_sha, prompt_sha, decoding = "gazetteer", "1", "", "", "matcher"

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        for text in texts:
            at = text.find("imatinib")
            found = (Found(at, at + 8, "chemical", 0.5),) if at >= 0 else ()
            yield Extraction((), "too_long") if "TOO LONG" in text else Extraction(found)


@pytest.fixture(scope="session")
def study():
    return load_study()


@pytest.fixture(scope="session")
def engines(study) -> Engines:
    engines = Engines(
        {
            "entities": lambda: EntityEngine(OneWord(), Linker(Vocabulary({}, ()), Path("none")), study.entities),
            "labels": lambda: LabelEngine(study),
            "summaries": lambda: SummaryEngine(study, vocabulary_of(study)),
        }
    )
    for task in TASKS:
        engines.get(task)
    return engines


@pytest.fixture
def start(tmp_path: Path, study, engines: Engines):
    """Return what builds an app: with settings and other engines, if given."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# who may call\nwarden {TOKEN}\nward-7 {LABELS_ONLY} labels\n", encoding="utf-8")
    tokens.chmod(0o600)

    def build(others: Engines | None = None, **settings):
        settings = ServingSettings(tokens_file=tokens, **settings)
        return build_app(settings, study, load_tokens(settings), others or engines, tmp_path / "audit")

    return build


@pytest.fixture
def client(start) -> Iterator[TestClient]:
    with TestClient(start(), raise_server_exceptions=True) as client:
        yield client
