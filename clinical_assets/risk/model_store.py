"""Frozen risk models on disk: JSON, safetensors and LightGBM text, named by their digest; never pickle.

``models/risk_<question>/<digest>/{model.json, arrays.safetensors, model.lgb}`` and beside them ``promoted.json``, which says which one
gives scores. A folder appears whole or not at all, and what does not match its digest is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.candidates import Candidate
from clinical_assets.risk.experiments import RiskModel
from clinical_assets.risk.learners import Fitted
from clinical_assets.risk.preparation import load_block
from clinical_assets.statistics.calibration import Platt
from clinical_assets.storage.content_folder import FolderError, point_at, pointed_at

__all__ = ["Frozen", "RiskModelError", "load_frozen", "promoted_digest", "save_frozen"]

Arrays = dict[str, npt.NDArray[Any]]
_FORMAT = 1


class RiskModelError(ValueError):
    """A stored risk model that cannot be used, and how to mend it."""


@dataclass(frozen=True)
class Frozen:
    """A model with all that scoring needs.

    Attributes
    ----------
    model
        Preparation and learner.
    calibration
        From its out-of-fold risks.
    reference
        Out-of-fold risks of the training persons, ascending: percentiles are read from them.
    trained_on
        person_id of the training persons, ascending.
    columns
        Reference bins of every column and of the score, for drift: name -> edges and shares.
    """

    model: RiskModel
    calibration: Platt
    reference: npt.NDArray[np.float64]
    trained_on: npt.NDArray[np.int64]
    columns: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


def save_frozen(folder: Path, frozen: Frozen) -> str:
    """Write a model below ``folder``, promote it, and return its digest; the same model is written once."""
    from safetensors.numpy import save

    arrays, described = _taken_apart(frozen)
    data = save({name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())})
    text = json.dumps(described, sort_keys=True, indent=1)
    lgb = frozen.model.fitted.text
    digest = _digest(text, data, lgb)
    target = folder / digest
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not target.is_dir():
        work = Path(tempfile.mkdtemp(prefix=".model.", dir=folder))
        try:
            (work / "model.json").write_text(text, encoding="utf-8")
            (work / "arrays.safetensors").write_bytes(data)
            (work / "model.lgb").write_text(lgb, encoding="utf-8")
            os.replace(work, target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    point_at(folder, digest)
    return digest


def promoted_digest(folder: Path) -> str | None:
    """Return the digest of the model that gives scores; None if none was promoted.

    Raises
    ------
    RiskModelError
        If the file that says so cannot be read.
    """
    try:
        return pointed_at(folder, "materialize risk/promoted_model again")
    except FolderError as error:
        raise RiskModelError(str(error)) from None


def load_frozen(folder: Path, digest: str) -> Frozen:
    """Read a model and check that it is what its name says.

    Raises
    ------
    RiskModelError
        If it is not there, cannot be read, or its content has another digest.
    """
    from safetensors.numpy import load

    target = folder / digest
    try:
        text = (target / "model.json").read_text(encoding="utf-8")
        data = (target / "arrays.safetensors").read_bytes()
        lgb = (target / "model.lgb").read_text(encoding="utf-8")
    except OSError as error:
        raise RiskModelError(f"{target}: {error.strerror}; materialize risk/promoted_model again") from None
    if _digest(text, data, lgb) != digest:
        raise RiskModelError(
            f"{target} was changed after it was written; remove it and materialize risk/promoted_model again"
        )
    return _put_together(json.loads(text), load(data), lgb)


def _digest(text: str, data: bytes, lgb: str) -> str:
    sha = hashlib.sha256()
    for part in (text.encode(), data, lgb.encode()):
        sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()[:32]


def _taken_apart(frozen: Frozen) -> tuple[Arrays, dict[str, Any]]:
    model = frozen.model
    arrays: Arrays = {f"learner.{name}": value for name, value in model.fitted.arrays.items()}
    for i, one in enumerate(model.prepared):
        arrays |= {f"block.{i}.{name}": np.asarray(value) for name, value in one.arrays.items()}
    for i, (edges, shares) in enumerate(frozen.columns.values()):
        arrays |= {f"bins.{i}.edges": edges, f"bins.{i}.shares": shares}
    arrays |= {"reference": frozen.reference, "trained_on": frozen.trained_on}
    return arrays, {
        "format": _FORMAT,
        "candidate": [model.candidate.feature_set, model.candidate.learner, model.candidate.encoder],
        "blocks": [
            {
                "name": one.name,
                "kind": one.kind,
                "words": list(one.words),
                "names": list(one.names),
                "arrays": sorted(one.arrays),
            }
            for one in model.prepared
        ],
        "learner": {
            "name": model.fitted.learner,
            "offset": model.fitted.offset,
            "parameters": dict(model.fitted.parameters),
            "arrays": sorted(model.fitted.arrays),
        },
        "calibration": [frozen.calibration.intercept, frozen.calibration.slope],
        "columns": list(frozen.columns),
    }


def _put_together(described: dict[str, Any], arrays: Arrays, lgb: str) -> Frozen:
    if described["format"] != _FORMAT:
        raise RiskModelError(f"model format {described['format']}, this version reads {_FORMAT}; train it anew")
    learner = described["learner"]
    fitted = Fitted(
        learner["name"],
        {name: arrays[f"learner.{name}"] for name in learner["arrays"]},
        lgb,
        learner["offset"],
        learner["parameters"],
    )
    prepared = [
        load_block(
            b["name"], b["kind"], {name: arrays[f"block.{i}.{name}"] for name in b["arrays"]}, b["words"], b["names"]
        )
        for i, b in enumerate(described["blocks"])
    ]
    bins = {
        name: (arrays[f"bins.{i}.edges"], arrays[f"bins.{i}.shares"]) for i, name in enumerate(described["columns"])
    }
    model = RiskModel(Candidate(*described["candidate"]), prepared, fitted)
    return Frozen(model, Platt(*described["calibration"]), arrays["reference"], arrays["trained_on"], bins)
