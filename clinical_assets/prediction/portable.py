"""Classical models as numbers and text, so that they are kept without pickle and answer without being trained again.

Preparation: medians, which numbers have an indicator of absence, means and scales, levels of categories. Learner: coefficients, the arrays
of the trees of a forest, or LightGBM's own text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import EDGE, LOGISTIC, Model, as_frame
from clinical_assets.prediction.rows import Value
from clinical_assets.storage.content_folder import FolderError, put_folder, read_folder
from clinical_assets.study.prediction import PredictionFeature

__all__ = ["MODEL_FILES", "Portable", "load_portable", "portable", "save_portable"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

MODEL_FILES = ("model.json", "arrays.safetensors", "model.lgb")
_FORMAT = 1
_MEND = "materialize the model again (job predict)"
_TREE = ("left", "right", "feature", "threshold", "share")


@dataclass(frozen=True)
class Portable:
    """A classical model without the libraries that fitted it, LightGBM apart.

    Attributes
    ----------
    name, features
        The learner, and what it sees.
    levels
        Category -> its levels in the training rows; of two levels only the second has a column.
    arrays
        median, absent (the numbers that have an indicator), mean and scale of the numbers' columns; and of the learner: coefficient and
        intercept, or the trees one behind another (left, right, feature, threshold, share of yes) with the root of each.
    text
        LightGBM's text; empty for others.
    offset, chosen
        As of the model.
    """

    name: str
    features: tuple[PredictionFeature, ...]
    levels: Mapping[str, Sequence[str]]
    arrays: Arrays
    text: str
    offset: float
    chosen: Mapping[str, float]

    def matrix(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> npt.NDArray[np.float32]:
        """Return the prepared rows: numbers, indicators of absence, categories."""
        frame = as_frame(self.features, columns, rows)
        parts: list[npt.NDArray[Any]] = []
        numbers = [f.name for f in self.features if f.kind != "category"]
        if numbers:
            raw = np.column_stack([frame[name].to_numpy() for name in numbers]).astype(np.float64)
            absent = np.isnan(raw)
            filled = np.where(absent, self.arrays["median"], raw)
            wide = np.hstack([filled, absent[:, self.arrays["absent"]].astype(np.float64)])
            parts.append((wide - self.arrays["mean"]) / self.arrays["scale"])
        for name, levels in self.levels.items():
            values = np.asarray(frame[name].tolist(), dtype=object)
            shown = levels[1:] if len(levels) == 2 else levels
            parts.append(np.column_stack([values == level for level in shown]).astype(np.float64))
        return np.hstack(parts).astype(np.float32)

    def predict(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> Floats:
        """Return P(yes), shape (k,)."""
        from scipy.special import expit, logit

        x = self.matrix(columns, rows)
        if self.name in LOGISTIC:
            p = expit(x @ self.arrays["coefficient"] + self.arrays["intercept"])
        elif self.name == "lightgbm":
            p = np.asarray(self._booster.predict(x))
        else:
            p = self._forest(x)
        return np.asarray(expit(logit(np.clip(p, EDGE, 1 - EDGE)) + self.offset))

    def n_unseen(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> int:
        """Return how many values are of a category that training did not have."""
        frame = as_frame([f for f in self.features if f.kind == "category"], columns, rows)
        return sum(value not in set(levels) for name, levels in self.levels.items() for value in frame[name])

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)

    def _forest(self, x: npt.NDArray[np.float32]) -> Floats:
        """Mean share of yes over the leaves that a row falls into."""
        left, right, feature, threshold, share = (self.arrays[f"tree_{name}"] for name in _TREE)
        roots = self.arrays["tree_root"]
        at = np.tile(roots, (x.shape[0], 1))
        every = np.arange(x.shape[0])[:, None]
        while True:
            inner = feature[at] >= 0
            if not inner.any():
                return np.asarray(share[at].mean(axis=1))
            goes_left = x[every, np.maximum(feature[at], 0)] <= threshold[at]
            at = np.where(inner, np.where(goes_left, left[at], right[at]), at)


def portable(model: Model) -> Portable:
    """Take a fitted model apart."""
    steps = model.prepare.named_transformers_
    arrays: Arrays = {}
    if "number" in steps:
        impute, scale = (step for _, step in steps["number"].steps)
        arrays |= {
            "median": np.asarray(impute.statistics_, dtype=np.float64),
            "absent": np.asarray(impute.indicator_.features_, dtype=np.int64),
            "mean": np.asarray(scale.mean_, dtype=np.float64),
            "scale": np.asarray(scale.scale_, dtype=np.float64),
        }
    categories = [f.name for f in model.features if f.kind == "category"]
    known = steps["category"].categories_ if categories else []
    levels = {name: [str(level) for level in found] for name, found in zip(categories, known, strict=True)}
    text = ""
    if model.name in LOGISTIC:
        arrays["coefficient"] = np.asarray(model.fitted.coef_[0], dtype=np.float64)
        arrays["intercept"] = np.asarray(model.fitted.intercept_, dtype=np.float64)
    elif model.name == "lightgbm":
        text = model.fitted.booster_.model_to_string()
    else:
        arrays |= _trees_of(model.fitted)
    return Portable(model.name, model.features, levels, arrays, text, model.offset, dict(model.chosen))


def save_portable(folder: Path, model: Portable) -> str:
    """Write a model into ``folder/<digest>`` and return the digest."""
    from safetensors.numpy import save

    described = {
        "format": _FORMAT,
        "name": model.name,
        "features": [feature.model_dump(mode="json") for feature in model.features],
        "levels": model.levels,
        "offset": model.offset,
        "chosen": model.chosen,
        "arrays": sorted(model.arrays),
    }
    arrays = {name: np.ascontiguousarray(value) for name, value in sorted(model.arrays.items())}
    content = (json.dumps(described, sort_keys=True, indent=1).encode(), save(arrays), model.text.encode())
    return put_folder(folder, dict(zip(MODEL_FILES, content, strict=True)))


def load_portable(folder: Path, digest: str) -> Portable:
    """Read a model and check that it is what its name says.

    Raises
    ------
    FolderError
        If it is not there, was changed, or was written by another version.
    """
    from safetensors.numpy import load

    files = read_folder(folder, digest, MODEL_FILES, _MEND)
    described = json.loads(files["model.json"])
    if described["format"] != _FORMAT:
        raise FolderError(f"{folder / digest}: format {described['format']}, this version reads {_FORMAT}; {_MEND}")
    return Portable(
        described["name"],
        tuple(PredictionFeature.model_validate(feature) for feature in described["features"]),
        {name: described["levels"][name] for name in _in_order(described)},
        load(files["arrays.safetensors"]),
        files["model.lgb"].decode(),
        described["offset"],
        described["chosen"],
    )


def _in_order(described: Mapping[str, Any]) -> list[str]:
    return [f["name"] for f in described["features"] if f["kind"] == "category"]


def _trees_of(forest: Any) -> Arrays:
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in _TREE}
    roots, first = [], 0
    for one in forest.estimators_:
        tree = one.tree_
        shares = tree.value[:, 0, :]
        roots.append(first)
        for name, found in (
            ("left", np.asarray(tree.children_left) + first),
            ("right", np.asarray(tree.children_right) + first),
            ("feature", np.asarray(tree.feature)),
            ("threshold", np.asarray(tree.threshold)),
            ("share", shares[:, 1] / shares.sum(axis=1)),
        ):
            parts[name].append(found)
        first += int(tree.node_count)
    kinds = {"threshold": np.float64, "share": np.float64}
    arrays = {f"tree_{name}": np.concatenate(found).astype(kinds.get(name, np.int64)) for name, found in parts.items()}
    return {**arrays, "tree_root": np.asarray(roots, dtype=np.int64)}
