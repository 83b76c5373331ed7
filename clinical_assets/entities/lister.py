"""The language model that a study lets read its notes, to be judged on annotated documents like every other extractor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from clinical_assets.entities.choice import opened
from clinical_assets.entities.extraction import Extractor
from clinical_assets.entities.llm_extractor import llm_extractors
from clinical_assets.settings import Settings
from clinical_assets.study.model import Study

__all__ = ["studys_lister"]


@contextlib.contextmanager
def studys_lister(study: Study, settings: Settings, log: Callable[[str], None]) -> Iterator[Extractor | None]:
    """Open the language model that `entities.extractor` names; None where it is the tagger or the gazetteer.

    Raises
    ------
    ModelError
        If local weights are missing or unsafe.
    """
    known = llm_extractors(settings, study)
    if study.entities.extractor not in known:
        yield None
        return
    with opened(known[study.entities.extractor](), log) as extractor:
        yield extractor
