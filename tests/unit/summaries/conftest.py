from __future__ import annotations

import pytest

from clinical_assets.study.load import load_study
from clinical_assets.summaries.extraction import FactExtractor
from clinical_assets.summaries.vocabulary import vocabulary_of

CONCEPTS = [("disease", "gallstone"), ("drug", "pegfilgrastim"), ("procedure", "lumbar puncture")]


@pytest.fixture(scope="session")
def study():
    return load_study()


@pytest.fixture(scope="session")
def extractor(study) -> FactExtractor:
    return FactExtractor(vocabulary_of(study, CONCEPTS))
