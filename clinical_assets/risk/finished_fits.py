"""What is put by of an evaluation: out-of-fold risks of fits that are finished, so that a killed one goes on where it was.

A fit's address is the digest of all that its risks depend on: the blocks of its feature set, the rows it was trained and tested on,
the outcomes, the settings and the libraries. A model added to the matrix, or a killed run, leaves the others' fits as they are.
"""

from __future__ import annotations

import hashlib
import json
import time
from datetime import datetime
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.risk.candidates import Candidate, OutOfFold
from clinical_assets.risk.features import Features
from clinical_assets.risk.splits import Split
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.risk_contracts import RISK_FITS
from clinical_assets.study.risk import RiskModels

__all__ = ["TABLE", "Fits", "LakeFits", "NoFits"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

TABLE = "risk/fits"
_ENGINE = 1  # a change of preparation or learners makes other risks
_SECONDS = 10.0
_SETTINGS = ("minimum_persons", "components", "reduction", "seed", "class_weight", "oversampling", "tuning_trials")


class Fits(Protocol):
    """Where finished fits are kept."""

    def get(self, cell: Candidate, split: Split) -> Floats | None:
        """Return the risks of the split's test rows; None if the fit is not there."""

    def put(self, part: OutOfFold) -> None:
        """Keep a finished fit."""


class NoFits:
    """Keeps nothing."""

    def get(self, cell: Candidate, split: Split) -> None:
        """Return None."""

    def put(self, part: OutOfFold) -> None:
        """Do nothing."""


class LakeFits:
    """Fits in the lake, in parts that are written whole and never rewritten.

    Parameters
    ----------
    lake
        Holds ``risk/fits``.
    question
        Its name: whose parts they are.
    features, y, settings
        What all fits of this evaluation have in common.
    every
        Seconds after which what is finished is written. A kill loses at most that and the fit under way.
    made_at
        Written with the fits.
    """

    def __init__(
        self,
        lake: Lake,
        question: str,
        features: Features,
        y: Whole,
        settings: RiskModels,
        *,
        made_at: datetime,
        every: float = _SECONDS,
    ) -> None:
        self._lake, self._question, self._features, self._made_at = lake, question, features, made_at
        self._every, self._written_at = every, time.monotonic()
        said = {name: getattr(settings, name) for name in _SETTINGS}
        used = {name: version(name) for name in ("scikit-learn", "lightgbm", "torch", "numpy")}
        self._common = hashlib.sha256(json.dumps([_ENGINE, said, used], sort_keys=True).encode())
        for rows in (features.persons, y):
            self._common.update(np.ascontiguousarray(rows).tobytes())
        self._blocks: dict[str, str] = {}
        self._sets: dict[Candidate, Any] = {}
        self._held = self._read()
        self._asked: set[str] = set()
        self._waiting: dict[str, OutOfFold] = {}
        self.n_reused = 0

    def get(self, cell: Candidate, split: Split) -> Floats | None:
        """Return the risks of the split's test rows, in their order; None if the fit is not there."""
        address = self._address(cell, split)
        self._asked.add(address)
        risk = self._held.get(address)
        self.n_reused += risk is not None
        return risk

    def put(self, part: OutOfFold) -> None:
        """Keep a finished fit; it is written with the others that wait, once in a while."""
        address = self._address(part.candidate, part.split)
        self._asked.add(address)
        self._held[address] = part.risk
        self._waiting[address] = part
        if time.monotonic() - self._written_at >= self._every:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._written_at = time.monotonic()
        if not self._waiting:
            return
        parts, n = list(self._waiting.values()), len(self._waiting)
        rows = {
            "fit_sha": list(self._waiting),
            "question": [self._question] * n,
            "model": [part.candidate.name for part in parts],
            "design": [part.split.design for part in parts],
            "label": [part.split.label for part in parts],
            "repeat": [part.split.repeat for part in parts],
            "fold": [part.split.fold for part in parts],
            "risk": [part.risk.tolist() for part in parts],
            "made_at": [self._made_at] * n,
        }
        name = hashlib.sha256("".join(sorted(self._waiting)).encode()).hexdigest()[:16]
        self._lake.write(TABLE, pa.table(rows, schema=RISK_FITS), RISK_FITS, batch=f"{self._question}-{name}")
        self._waiting = {}
        failpoint("risk.after_fits")

    def forget_others(self) -> None:
        """Delete parts of this question that hold no fit which this evaluation asked for: data or settings were others."""
        for part in self._parts():
            shas = self._lake.read(TABLE, part, ["fit_sha"]).column("fit_sha").to_pylist()
            if not self._asked & set(shas):
                self._lake.remove(TABLE, part)

    def _parts(self) -> list[str]:
        prefix = f"{self._question}-"
        return [part for part in self._lake.batches(TABLE) if part[: -len("0" * 16)] == prefix]

    def _read(self) -> dict[str, Floats]:
        held: dict[str, Floats] = {}
        for part in self._parts():
            rows = self._lake.read(TABLE, part, ["fit_sha", "risk"])
            for sha, risk in zip(rows.column("fit_sha").to_pylist(), rows.column("risk"), strict=True):
                held[sha] = np.asarray(risk.values.to_numpy(zero_copy_only=False), dtype=np.float64)
        return held

    def _address(self, cell: Candidate, split: Split) -> str:
        if cell not in self._sets:
            digest = self._common.copy()
            digest.update(json.dumps([cell.feature_set, cell.learner, cell.encoder]).encode())
            for block in self._features.of(cell.feature_set, cell.encoder):
                self._blocks.setdefault(block.name, block.digest())
                digest.update(self._blocks[block.name].encode())
            self._sets[cell] = digest
        digest = self._sets[cell].copy()
        for rows in (split.train, split.test):
            digest.update(np.ascontiguousarray(rows).tobytes() + b"|")
        return str(digest.hexdigest())
