"""The rows of a prediction question: read from a landed file or a table of the warehouse, checked, and told as text.

Nothing is guessed: a missing outcome leaves the row out and is counted, a value of another kind is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.notes.guards import is_ignored
from clinical_assets.study.prediction import PredictionFeature, PredictionQuestion

__all__ = [
    "Dataset",
    "QuestionError",
    "column_names",
    "dataset_of",
    "question_files",
    "read_source",
    "record_text",
    "unanswered_of",
]

Value = float | str | bool | None
_MAX_BYTES = 200 * 1024**2
_YES, _NO = frozenset({"yes", "y", "true", "t", "1", "1.0"}), frozenset({"no", "n", "false", "f", "0", "0.0"})
_DISTINCT = 20  # a number with more different values than that makes two equal rows no coincidence


class QuestionError(ValueError):
    """The question cannot be asked of these rows; the message names column, rows, what is expected and how to mend it."""


@dataclass(frozen=True)
class Dataset:
    """The rows that can be asked about, in the order of the source.

    Attributes
    ----------
    ids
        One a row; unique.
    groups
        Shape (n,): rows of one person, and rows that are the same in every feature, share a number: no group is split.
    y
        Shape (n,), 1 for yes.
    columns
        Feature -> one value a row; None where nothing was recorded.
    features
        Those that are used: as the question has them, without those that never vary.
    n_read, n_without_outcome, n_duplicates
        Rows of the source, rows left out for want of an outcome, rows that equal an earlier one in every feature.
    notices
        What was left out and why, in words.
    """

    ids: tuple[str, ...]
    groups: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    columns: dict[str, list[Value]]
    features: tuple[PredictionFeature, ...]
    n_read: int
    n_without_outcome: int
    n_duplicates: int
    notices: tuple[str, ...]

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.ids)

    def record(self, row: int) -> dict[str, Value]:
        """Return the features of a row."""
        return {feature.name: self.columns[feature.name][row] for feature in self.features}

    def missing(self) -> dict[str, int]:
        """Return feature -> rows in which nothing was recorded."""
        return {f.name: sum(value is None for value in self.columns[f.name]) for f in self.features}

    def digest(self, question: PredictionQuestion) -> str:
        """Return what tells this question about these rows from others: wording, features, rows and splits, not the list of models."""
        said = question.model_dump(mode="json", exclude={"models", "fine_tuning"})
        rows = [[i, int(y), self.record(k)] for k, (i, y) in enumerate(zip(self.ids, self.y, strict=True))]
        how = question.models.balance
        return hashlib.sha256(json.dumps([said, how, rows], sort_keys=True).encode()).hexdigest()


def column_names(question: PredictionQuestion) -> list[str]:
    """Return the columns of the source that the question reads."""
    person = [question.source.person_column] if question.source.person_column else []
    named = [question.source.id_column, *person, question.outcome.column, *(f.source for f in question.features)]
    return list(dict.fromkeys(named))


def read_source(question: PredictionQuestion, landing: Path, query: Callable[[str], pa.Table]) -> pa.Table:
    """Return the columns of the question, from its file or its table.

    Parameters
    ----------
    landing
        The folder landing/prediction.
    query
        Runs SQL on the published warehouse.

    Raises
    ------
    QuestionError
        If there is no such file, it cannot be read, or columns are missing.
    """
    if question.source.table:
        rows = query(f"select * from {question.source.table}")
        where = question.source.table
    else:
        path = landing / str(question.source.file)
        where = f"landing/prediction/{path.name}"
        rows = _read_file(path, where)
    missing = [name for name in column_names(question) if name not in rows.column_names]
    if missing:
        raise QuestionError(
            f"{where}: no column {', '.join(map(repr, missing))}; there are: {', '.join(rows.column_names[:60])}. Mend the study "
            "(prediction.features[].column, outcome.column, source.id_column) or the file"
        )
    return rows.select(column_names(question))


def question_files(folder: Path) -> list[Path]:
    """Return the tables in landing/prediction, by name; what is hidden or still written is none."""
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if path.suffix in (".csv", ".parquet") and not is_ignored(path.name)]
    return sorted(path for path in files if path.is_file())


def _read_file(path: Path, where: str) -> pa.Table:
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    if not path.is_file():
        raise QuestionError(
            f"{where}: no such file; land it there, or name another one in the study (prediction.source)"
        )
    if path.stat().st_size > _MAX_BYTES:
        raise QuestionError(f"{where}: larger than {_MAX_BYTES // 1024**2} MiB; a question needs a row a patient")
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        with path.open("rb") as file:
            header = file.readline()
        names = pacsv.read_csv(pa.BufferReader(header)).column_names
        texts = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
        return pacsv.read_csv(path, convert_options=texts)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        # Arrow's message quotes the row
        raise QuestionError(
            f"{where}: cannot be read ({type(error).__name__}); expected {path.suffix[1:]} with a header, UTF-8"
        ) from None


def dataset_of(question: PredictionQuestion, rows: pa.Table) -> Dataset:
    """Return the rows that can be asked about.

    Raises
    ------
    QuestionError
        If ids repeat or are missing, a value is of another kind than its feature, an outcome is neither yes nor no, only one of them
        occurs, or no feature varies.
    """
    ids = [_text(value) for value in rows.column(question.source.id_column).to_pylist()]
    if len(set(ids)) != len(ids) or "" in ids:
        raise QuestionError(
            f"column {question.source.id_column!r}: {len(ids) - len(set(ids))} ids repeat and {ids.count('')} are empty; every row "
            "needs an id of its own"
        )
    nothing = {value.strip().casefold() for value in question.missing_values}
    answers = _outcomes(question, rows.column(question.outcome.column).to_pylist(), nothing)
    keep = [i for i, answer in enumerate(answers) if answer is not None]
    columns: dict[str, list[Value]] = {}
    for feature in question.features:
        values = rows.column(feature.source).to_pylist()
        columns[feature.name] = _values(feature, [values[i] for i in keep], keep, nothing)
    y = np.asarray([answers[i] for i in keep], dtype=np.int64)
    if y.size == 0 or y.min() == y.max():
        raise QuestionError(
            f"outcome {question.outcome.column!r}: {int(y.sum())} yes among {y.size} rows with an outcome; both answers are needed"
        )
    varying = tuple(f for f in question.features if len({v for v in columns[f.name] if v is not None}) > 1)
    notices = [
        f"feature {feature.name} is the same in all rows: no model sees it"
        for feature in question.features
        if feature not in varying
    ]
    if not varying:
        raise QuestionError("no feature varies: there is nothing to predict by")
    without = len(answers) - len(keep)
    if without:
        notices.append(f"{without} of {len(answers)} rows have no outcome and are left out")
    persons = [ids[i] for i in keep]
    if question.source.person_column:
        given = rows.column(question.source.person_column).to_pylist()
        persons = [_text(given[i]) or ids[i] for i in keep]
    groups, n_duplicates = _groups(persons, columns, varying)
    if n_duplicates:
        notices.append(f"{n_duplicates} rows equal an earlier one in every feature: they stay together in splits")
    return Dataset(
        tuple(ids[i] for i in keep), groups, y, columns, varying, len(answers), without, n_duplicates, tuple(notices)
    )


def unanswered_of(
    question: PredictionQuestion, rows: pa.Table, features: Sequence[PredictionFeature]
) -> tuple[list[str], dict[str, list[Value]]]:
    """Return ids and features of the rows without an outcome: what can be predicted, and not judged.

    Raises
    ------
    QuestionError
        As `dataset_of`.
    """
    nothing = {value.strip().casefold() for value in question.missing_values}
    answers = _outcomes(question, rows.column(question.outcome.column).to_pylist(), nothing)
    open_ones = [i for i, answer in enumerate(answers) if answer is None]
    ids = rows.column(question.source.id_column).to_pylist()
    columns = {}
    for feature in features:
        values = rows.column(feature.source).to_pylist()
        columns[feature.name] = _values(feature, [values[i] for i in open_ones], open_ones, nothing)
    return [_text(ids[i]) for i in open_ones], columns


def record_text(dataset: Dataset, row: int, missing_text: str) -> str:
    """Return a row as it stands in prompts: a line a feature, with its unit; what was not recorded is said to be so."""
    lines = []
    for feature in dataset.features:
        value = dataset.columns[feature.name][row]
        if value is None:
            shown = missing_text
        elif isinstance(value, bool):
            shown = "yes" if value else "no"
        elif isinstance(value, float):
            whole = value.is_integer() and abs(value) < 1e15
            shown = f"{int(value) if whole else value} {feature.unit}".strip()
        else:
            shown = value
        lines.append(f"{feature.shown}: {shown}")
    return "\n".join(lines)


def _outcomes(question: PredictionQuestion, values: Sequence[Any], nothing: set[str]) -> list[int | None]:
    yes = question.outcome.positive.strip().casefold()
    no = {value.strip().casefold() for value in question.outcome.negative}
    found: list[int | None] = []
    odd = []
    for place, value in enumerate(values, start=1):
        text = _text(value).casefold()
        if text == yes or text in no:
            found.append(int(text == yes))
        elif text in nothing:
            found.append(None)
        else:
            found.append(None)
            odd.append(place)
    if odd:
        raise QuestionError(
            f"outcome {question.outcome.column!r}: {len(odd)} values are neither {question.outcome.positive!r} nor "
            f"{', '.join(map(repr, question.outcome.negative))} nor missing (first in row {odd[0]}); name them under outcome.negative "
            "or missing_values, or mend the file. Nothing is taken for a no"
        )
    return found


def _values(feature: PredictionFeature, values: Sequence[Any], places: Sequence[int], nothing: set[str]) -> list[Value]:
    found: list[Value] = []
    wrong = []
    levels = {level.strip().casefold(): level.strip() for level in feature.levels}
    for value, place in zip(values, places, strict=True):
        text = _text(value)
        if text.casefold() in nothing:
            found.append(None)
            continue
        read = _read(feature, text, levels)
        found.append(read)
        if read is None:
            wrong.append(place + 1)
    if wrong:
        expected = {
            "number": f"plain numbers{f' in {feature.unit}' if feature.unit else ''}, without a unit beside them",
            "yes_no": "yes or no (or true/false, 1/0)",
            "category": f"one of {', '.join(feature.levels)}",
        }[feature.kind]
        raise QuestionError(
            f"feature {feature.name!r} (column {feature.source!r}): {len(wrong)} of {len(values)} values are something else (first in "
            f"row {wrong[0]}); expected {expected}. Mend the file, the feature's kind, or missing_values"
        )
    return found


def _read(feature: PredictionFeature, text: str, levels: dict[str, str]) -> Value:
    """Return the value that a text stands for; None where it stands for none."""
    if feature.kind == "category":
        return (levels.get(text.casefold()) if levels else text) or None
    if feature.kind == "yes_no":
        word = text.casefold()
        return True if word in _YES else False if word in _NO else None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """A value as text without blanks around it; whole floats as whole numbers, so that ids and levels do not change with the file."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _groups(
    persons: Sequence[str], columns: dict[str, list[Value]], features: Sequence[PredictionFeature]
) -> tuple[npt.NDArray[np.int64], int]:
    """Number the groups that must not be split, and count the rows that equal an earlier one."""
    place = {person: k for k, person in enumerate(dict.fromkeys(persons))}
    parent = list(range(len(place)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    n_duplicates = 0
    fine = any(f.kind == "number" and len({v for v in columns[f.name] if v is not None}) > _DISTINCT for f in features)
    if fine:
        first: dict[tuple[Value, ...], int] = {}
        for row, person in enumerate(persons):
            key = tuple(columns[f.name][row] for f in features)
            if all(value is None for value in key):
                continue
            mine = place[person]
            if key in first:
                n_duplicates += 1
                parent[root(mine)] = root(first[key])
            first.setdefault(key, mine)
    return np.asarray([root(place[person]) for person in persons], dtype=np.int64), n_duplicates
