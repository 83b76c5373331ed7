"""How the engines of a deployment are opened: from its study, its warehouse, its lake and its models."""

from __future__ import annotations

from collections.abc import Callable

from clinical_assets.serving.engines import Engine, Engines, EngineUnavailable
from clinical_assets.serving.models import Task
from clinical_assets.settings import Settings
from clinical_assets.study.model import Study

__all__ = ["deployment_engines"]


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
    from clinical_assets.serving.summary_engine import SummaryEngine, vocabulary_of_deployment

    return SummaryEngine(study, vocabulary_of_deployment(study, deployment.warehouse))


def _entities(deployment: Settings, study: Study) -> Engine:
    raise EngineUnavailable(f"the extractor {study.entities.extractor} is not there")
