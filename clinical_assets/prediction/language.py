"""The question as language models get it: one record as text, one field to answer; and as something to be trained for.

P(yes) is the model's probability of true against false at the one value of the answer, after its chat template and, for models that think,
after a thought that is closed. It never learns the outcome of a row it is judged on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.answers import Answer, AnswerSchema, Backend, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.training_task import Example
from clinical_assets.prediction.classical import oversampled
from clinical_assets.prediction.rows import Dataset, record_text
from clinical_assets.prediction.splits import Assigned
from clinical_assets.progress import Progress
from clinical_assets.statistics.roc import auroc
from clinical_assets.study.prediction import PredictionQuestion

if TYPE_CHECKING:
    from clinical_assets.language_models.loading import Loaded

__all__ = ["PREDICTION_TASK", "PredictionTask", "answers_to_rows", "asked", "odds_offset", "status_of"]

PREDICTION_TASK = "prediction"
_VALUE = re.compile(r"\b(?:true|false)\b")
_AT_ONCE = 512


def asked(question: PredictionQuestion) -> tuple[AnswerSchema, Prompt]:
    """Return the one field to be answered, named as the question, and the wording."""
    schema = AnswerSchema((question.name,))
    return schema, Prompt.build(question.prompt.system, question.prompt.user, schema, [question.question])


def answers_to_rows(
    backend: Backend,
    dataset: Dataset,
    rows: npt.NDArray[np.int64],
    missing_text: str,
    log: Callable[[str], None] = lambda line: None,
) -> dict[int, Answer]:
    """Return row -> answer."""
    progress = Progress("records read by the model", int(rows.size), log)
    found: dict[int, Answer] = {}
    for first in range(0, rows.size, _AT_ONCE):
        part = rows[first : first + _AT_ONCE].tolist()
        requests = [Request(record_text(dataset, row, missing_text)) for row in part]
        for index, answer in backend.answer(requests):
            found[part[index]] = answer
            progress.add(1)
    return found


def status_of(answer: Answer) -> str:
    """Return the status as the table predictions has it."""
    return {"labelled": "answered", "parse_error": "unparsed"}.get(answer.status, answer.status)


def odds_offset(question: PredictionQuestion, y: npt.NDArray[np.int64]) -> float:
    """Return what undoes, in the log-odds, that training rows of the rarer answer were shown more often; 0 if they were not."""
    if question.models.balance == "none":
        return 0.0
    return -float(np.log((y.size - y.sum()) / y.sum()))


@dataclass(frozen=True)
class PredictionTask:
    """Training a model to answer the question as it turned out; see `language_models.training_task.TrainingTask`.

    Rows of the rarer answer are shown again where the study balances, training rows only. The best epoch is the one that ranks the
    validation rows best.

    Attributes
    ----------
    entry, question, dataset, assigned
        The model, what it is asked, the rows, and which of them it may see.
    """

    entry: ModelEntry
    question: PredictionQuestion
    dataset: Dataset
    assigned: Assigned

    name = PREDICTION_TASK
    metric_name = "auroc"

    @property
    def prompt(self) -> Prompt:
        """The wording that the question is put with."""
        return asked(self.question)[1]

    @cached_property
    def train(self) -> Sequence[Example]:
        """One example a row, more for rows of the rarer answer."""
        rows = self.assigned.rows("train")
        if self.question.models.balance != "none":
            rows = oversampled(rows, self.dataset.y, self.question.splits.seed)
        return self._examples(rows)

    @cached_property
    def validation(self) -> Sequence[Example]:
        """One example a row."""
        return self._examples(self.assigned.rows("validation"))

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        """Return where the value stands."""
        return [match.span() for match in _VALUE.finditer(target)]

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        """Return how well P(yes) ranks the validation rows."""
        from clinical_assets.language_models.local import LocalBackend

        schema, prompt = asked(self.question)
        backend = LocalBackend(loaded, self.entry, schema, prompt)
        rows = self.assigned.rows("validation")
        answers = answers_to_rows(backend, self.dataset, rows, self.question.missing_text)
        backend.close()
        said = [answers[row].probabilities[0] for row in rows.tolist()]
        score = [0.5 if p is None else p for p in said]
        return {"auroc": float(auroc(self.dataset.y[rows], score))}

    def _examples(self, rows: npt.NDArray[np.int64]) -> list[Example]:
        schema, again, found = asked(self.question)[0], dict[int, int](), []
        for row in rows.tolist():
            again[row] = again.get(row, 0) + 1
            found.append(
                Example(
                    f"{row}#{again[row]}",  # the place, not the source's id: messages name examples
                    str(self.dataset.groups[row]),
                    record_text(self.dataset, row, self.question.missing_text),
                    schema.text([bool(self.dataset.y[row])]),
                )
            )
        return found
