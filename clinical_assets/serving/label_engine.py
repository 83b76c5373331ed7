"""Labels of texts by the study's terms and the assertion engine: what the asset labels/regex does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clinical_assets.labels.regex_labels import compiled_study, label_identity, label_notes
from clinical_assets.serving.engines import engine_info
from clinical_assets.serving.models import Label, LabelsReply, LabelsResult
from clinical_assets.serving.prepare import Prepared
from clinical_assets.study.model import Study

__all__ = ["LabelEngine"]

_SAME = ("field", "value", "status", "mentioned", "asserted", "assertion", "reason")
_COLUMNS = ["note_id", *_SAME, "evidence_start", "evidence_end"]


class LabelEngine:
    """The labeller `regex` of a study."""

    def __init__(self, study: Study) -> None:
        compiled_study(study)  # half a second, once
        self._study = study
        identity = label_identity(study, "regex")
        self.info = engine_info(identity.pop("labeller"), identity)

    def answer(self, prepared: Prepared) -> LabelsReply:
        """Return one label per text and field."""
        table = label_notes(
            prepared.notes, prepared.sections, self._study, run_id="", labelled_at=datetime.now(UTC)
        ).select(_COLUMNS)
        labels: list[list[Label]] = [[] for _ in prepared.ids]
        for row in table.to_pylist():
            labels[row["note_id"]].append(_label(prepared, row))
        results = [LabelsResult(**prepared.read(index), labels=found) for index, found in enumerate(labels)]
        return LabelsReply(engine=self.info, results=results)


def _label(prepared: Prepared, row: dict[str, Any]) -> Label:
    start, end = prepared.span(row["note_id"], row["evidence_start"], row["evidence_end"])
    return Label.model_validate({**{name: row[name] for name in _SAME}, "start": start, "end": end})
