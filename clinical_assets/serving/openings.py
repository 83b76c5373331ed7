"""How the engines of a deployment are opened: from its study, its warehouse, its lake and its models."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from clinical_assets.serving.engines import Engine, Engines, EngineUnavailable
from clinical_assets.serving.models import Task
from clinical_assets.settings import Settings
from clinical_assets.study.model import Study

__all__ = ["deployment_engines"]

_log = logging.getLogger("clinical_assets.serving")


def deployment_engines(deployment: Settings, study: Study) -> Engines:
    """Return the engines of a deployment; none is opened yet."""
    opening: dict[Task, Callable[[], Engine]] = {
        "entities": lambda: _entities(deployment, study),
        "labels": lambda: _labels(study),
        "summaries": lambda: _summaries(deployment, study),
    }
    return Engines(opening)


def _labels(study: Study) -> Engine:
    from clinical_assets.serving.label_engine import LabelEngine

    return LabelEngine(study)


def _summaries(deployment: Settings, study: Study) -> Engine:
    from clinical_assets.serving.summary_engine import SummaryEngine
    from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of

    with _warehouse(deployment) as connection:
        return SummaryEngine(study, vocabulary_of(study, concept_names(connection) if connection else ()))


def _entities(deployment: Settings, study: Study) -> Engine:
    from clinical_assets.entities.choice import choose_extractor, opened
    from clinical_assets.entities.concepts import Vocabulary, concept_names
    from clinical_assets.entities.linker import Linker
    from clinical_assets.entities.llm_extractor import llm_extractors
    from clinical_assets.language_models.devices import DeviceError
    from clinical_assets.language_models.loading import ModelError
    from clinical_assets.language_models.server import ServerError
    from clinical_assets.serving.entity_engine import EntityEngine

    rules, models = study.entities, llm_extractors(deployment, study)
    with _warehouse(deployment) as connection:
        names = concept_names(connection) if connection else Vocabulary({}, ())
    try:
        chosen = choose_extractor(study, names, deployment.models, models)
        # It stays open for as long as the server runs.
        extractor = contextlib.ExitStack().enter_context(opened(chosen, _log.info))
    except (ValueError, ModelError, ServerError, DeviceError) as error:
        raise EngineUnavailable(str(error)) from None
    return EntityEngine(extractor, Linker(names, deployment.models, rules.least_link_score, _log.info), rules)


@contextlib.contextmanager
def _warehouse(deployment: Settings) -> Iterator[Any]:
    """Yield a connection to the published warehouse; None where none is published yet."""
    if not deployment.warehouse.exists():
        yield None
        return
    import duckdb

    with duckdb.connect(str(deployment.warehouse), read_only=True) as connection:
        yield connection
