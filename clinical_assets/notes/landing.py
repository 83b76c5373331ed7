"""What is in the landing folder: which batches are complete, which are new, which names are refused.

Put here the look at the folder and the pure decision what is due. Reading a batch is `readers`, running it is Dagster's.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.errors import UnreadableBatch, safe_name
from clinical_assets.notes.guards import SUCCESS, batch_files, data_format, is_ignored, resolve_inside
from clinical_assets.storage.lake import BATCH_KEY

__all__ = [
    "Candidate",
    "DueBatch",
    "Fingerprint",
    "LandingScan",
    "LandingState",
    "Problem",
    "batch_key",
    "content_digest",
    "digest_candidates",
    "due_batches",
    "scan",
]

MAX_PROBLEMS = 100
MAX_KNOWN = 20_000
_Value = TypeVar("_Value")
_RENAME = "Rename it: 1 to 80 letters, digits, dots, dashes or underscores, then .parquet, .csv, .jsonl (.gz)."


@dataclass(frozen=True)
class Fingerprint:
    """A batch's outside: names, sizes and times hashed, and the content digest last computed for exactly that."""

    shape: str
    digest: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Return JSON-serialisable values."""
        return {"shape": self.shape, "digest": self.digest}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fingerprint:
        """Read ``to_dict`` back."""
        return cls(shape=str(values["shape"]), digest=values.get("digest"))


@dataclass(frozen=True)
class Candidate:
    """One batch seen: ``path`` relative to the landing folder; ``settled`` if it is complete as far as can be told."""

    batch: str
    path: str
    fingerprint: Fingerprint
    settled: bool


@dataclass(frozen=True)
class Problem:
    """An entry that cannot become a batch, and how to mend it. ``name`` is safe to log."""

    name: str
    reason: str
    mend: str


@dataclass(frozen=True)
class LandingScan:
    """One look at the landing folder.

    Attributes:
        candidates: Batches in key order, at most ``limit`` of them (more only to keep one key's files together).
        problems: At most 100; ``n_problems`` counts all.
        n_entries: Entries of the folder, ignored ones included.
        resume_after: Key to give to the next scan; empty when this one reached the end.
    """

    candidates: tuple[Candidate, ...] = ()
    problems: tuple[Problem, ...] = ()
    n_problems: int = 0
    n_entries: int = 0
    resume_after: str = ""


@dataclass(frozen=True)
class DueBatch:
    """A batch whose content is not what the lake holds."""

    batch: str
    path: str
    digest: str


@dataclass(frozen=True)
class LandingState:
    """What a sensor remembers between ticks, small enough for its cursor.

    Forgetting is safe: an unknown batch is waited for and digested again, no more.

    Attributes:
        known: Fingerprint per batch, newest scans last; at most 20,000.
        requested: Digest per batch for which ingestion was requested, so that a refused file is not retried unchanged.
        resume_after: Where the next scan goes on.
    """

    known: Mapping[str, Fingerprint] = field(default_factory=dict)
    requested: Mapping[str, str] = field(default_factory=dict)
    resume_after: str = ""

    def after(self, seen: LandingScan, requested: Iterable[DueBatch] = ()) -> LandingState:
        """Return the state after a scan whose due batches ``requested`` were handed on."""
        again = {candidate.batch for candidate in seen.candidates}
        known = {key: value for key, value in self.known.items() if key not in again}
        known |= {candidate.batch: candidate.fingerprint for candidate in seen.candidates}
        asked = dict(self.requested)
        for due in requested:
            asked.pop(due.batch, None)
            asked[due.batch] = due.digest
        return LandingState(_newest(known), _newest(asked), seen.resume_after)

    def to_json(self) -> str:
        """Return the state as one JSON line."""
        known = {key: [value.shape, value.digest] for key, value in self.known.items()}
        return json.dumps({"known": known, "requested": dict(self.requested), "resume_after": self.resume_after})

    @classmethod
    def from_json(cls, text: str | None) -> LandingState:
        """Read ``to_json`` back; nothing, or anything else, is the empty state."""
        try:
            values = json.loads(text or "{}")
            known = {str(key): Fingerprint(str(shape), digest) for key, (shape, digest) in values["known"].items()}
            requested = {str(key): str(digest) for key, digest in values["requested"].items()}
            return cls(known, requested, str(values["resume_after"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()


def _newest(values: dict[str, _Value]) -> dict[str, _Value]:
    return dict(list(values.items())[-MAX_KNOWN:])


def batch_key(name: str, *, is_folder: bool = False) -> str | None:
    """Return the batch key of a landed file or folder name, or None if it yields no valid key."""
    parts = data_format(name)
    key = name if is_folder else (parts[0] if parts else "")
    return key if BATCH_KEY.fullmatch(key) and not key.startswith(".") else None


def scan(
    notes_dir: Path,
    *,
    now: float,
    settle_seconds: float,
    known: Mapping[str, Fingerprint],
    limit: int = 1000,
    resume_after: str = "",
) -> LandingScan:
    """Look at the landing folder once. Reads names, sizes and times, never content.

    A loose file is settled when its name, size and time are those of the previous scan, or when it was last written
    ``settle_seconds`` ago or more; a time in the future says nothing. A folder is settled by its ``_SUCCESS``; without
    it the folder is still being written and is not listed. Hidden and temporary names are passed over.

    Args:
        notes_dir: The landing folder of notes.
        now: Seconds since the epoch.
        settle_seconds: How long an unknown file must have been left alone.
        known: Fingerprints of earlier scans (``LandingState.known``).
        limit: Batches looked at this time.
        resume_after: Key after which to go on (``LandingState.resume_after``).

    Returns:
        A LandingScan; a folder that is missing or unreadable is a problem, not an error.
    """
    look = _Look(notes_dir, now=now, settle_seconds=settle_seconds, known=known)
    try:
        with os.scandir(notes_dir) as entries:
            picked = heapq.nsmallest(limit + 1, look.named(entries, resume_after))
    except OSError as error:
        mend = f"Create the folder and let this user read it ({type(error).__name__})."
        return LandingScan(problems=(Problem("landing folder", "missing_folder", mend),), n_problems=1)
    further = ""
    if len(picked) > limit:
        # The last key may have more files beyond the cut: leave it to the next scan, unless it is all there is.
        whole = [item for item in picked if item[0] != picked[-1][0]]
        picked = whole or picked
        further = picked[-1][0]
    by_key: dict[str, list[str]] = {}
    for key, name in picked:
        by_key.setdefault(key, []).append(name)
    candidates = [found for key, names in by_key.items() if (found := look.candidate(key, names))]
    return LandingScan(
        candidates=tuple(candidates),
        problems=tuple(sorted(look.problems, key=lambda problem: problem.name)),
        n_problems=look.n_problems,
        n_entries=look.n_entries,
        resume_after=further,
    )


class _Look:
    """One scan in progress: the folder, the rule for settled files, and the problems met."""

    def __init__(self, root: Path, *, now: float, settle_seconds: float, known: Mapping[str, Fingerprint]) -> None:
        self._root, self._now, self._settle, self._known = root, now, settle_seconds, known
        self.problems: list[Problem] = []
        self.n_problems = self.n_entries = 0

    def _problem(self, name: str, reason: str, mend: str) -> None:
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(safe_name(name), reason, mend))

    def named(self, entries: Iterable[os.DirEntry[str]], resume_after: str) -> Iterator[tuple[str, str]]:
        """Yield (key, name) of the entries that may be batches; a million names pass through, few are kept."""
        for entry in entries:
            self.n_entries += 1
            name = entry.name
            if is_ignored(name):
                continue
            try:
                is_folder = entry.is_dir()
            except OSError:
                continue
            if not is_folder and data_format(name) is None:
                self._problem(name, "unsupported_format", "Land parquet, csv, jsonl or ndjson, each optionally .gz.")
                continue
            key = batch_key(name, is_folder=is_folder)
            if key is None:
                self._problem(name, "bad_name", _RENAME)
            elif key > resume_after:
                yield key, name

    def candidate(self, key: str, names: list[str]) -> Candidate | None:
        """Return the batch of one key, or None if it is not there, not complete, or refused."""
        complete = [
            name for name in names if not (self._root / name).is_dir() or (self._root / name / SUCCESS).is_file()
        ]
        if not complete:
            return None
        if len(complete) > 1:
            others = ", ".join(safe_name(name) for name in complete[:5])
            self._problem(key, "ambiguous_batch", f"{others} have one batch key: rename or remove all but one.")
            return None
        name = complete[0]
        try:
            resolve_inside(self._root, name)
            shape, newest = self._shape(name)
        except UnreadableBatch as error:
            self._problem(name, error.reason, f"{error.what} {error.mend}".strip())
            return None
        except OSError:
            return None  # gone between the listing and now
        before = self._known.get(key)
        unchanged = before is not None and before.shape == shape
        is_folder = (self._root / name).is_dir()
        left_alone = newest <= self._now and self._now - newest >= self._settle
        digest = before.digest if before is not None and unchanged else None
        return Candidate(key, name, Fingerprint(shape, digest), is_folder or unchanged or left_alone)

    def _shape(self, name: str) -> tuple[str, float]:
        path = self._root / name
        files = batch_files(path, root=self._root)
        marker = path / SUCCESS if path.is_dir() else path.with_name(path.name + ".sha256")
        companions = [marker] if marker.is_file() else []
        stats = [(file.name, file.stat()) for file in (*files, *companions)]
        outside = repr([name, *((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)])
        shape = hashlib.sha256(outside.encode("utf-8", "surrogateescape")).hexdigest()[:24]
        return shape, max(stat.st_mtime for _, stat in stats)


def digest_candidates(seen: LandingScan, notes_dir: Path, *, max_bytes: int | None = None) -> LandingScan:
    """Return the scan with the content digest of every settled candidate that has none yet.

    A digest is computed again only when names, sizes or times changed since it was computed. A batch whose manifest
    does not fit its files, or that vanished, becomes a problem.

    Args:
        seen: A scan.
        notes_dir: The folder that was scanned.
        max_bytes: Stop starting on further batches once this much was read; the rest has its turn in a later tick.
    """
    candidates: list[Candidate] = []
    problems = list(seen.problems)
    n_problems = seen.n_problems
    read = 0
    for candidate in seen.candidates:
        if candidate.settled and not candidate.fingerprint.digest and (max_bytes is None or read < max_bytes):
            path = notes_dir / candidate.path
            try:
                read += sum(file.stat().st_size for file in batch_files(path, root=notes_dir))
                digest = content_digest(path, root=notes_dir)
            except (UnreadableBatch, OSError) as error:
                n_problems += 1
                if isinstance(error, UnreadableBatch):
                    problems.append(Problem(safe_name(candidate.path), error.reason, f"{error.what} {error.mend}"))
                else:
                    problems.append(Problem(safe_name(candidate.path), "missing_file", "Deliver it again."))
                candidates.append(replace(candidate, settled=False))
                continue
            candidate = replace(candidate, fingerprint=replace(candidate.fingerprint, digest=digest))
        candidates.append(candidate)
    return replace(seen, candidates=tuple(candidates), problems=tuple(problems[:MAX_PROBLEMS]), n_problems=n_problems)


def due_batches(
    seen: LandingScan, ingested: Mapping[str, str], limit: int, *, requested: Mapping[str, str] | None = None
) -> list[DueBatch]:
    """Return the batches to ingest now, in key order: settled, digested, and other than what the lake holds.

    Args:
        seen: A scan with digests (``digest_candidates``).
        ingested: Batch -> content digest that the lake holds.
        limit: Batches at most; the rest is due in the next tick.
        requested: Batch -> digest asked for before (``LandingState.requested``): not due again while unchanged.
    """
    asked = requested or {}
    due = []
    for candidate in seen.candidates:
        digest = candidate.fingerprint.digest
        if not candidate.settled or digest is None or ingested.get(candidate.batch) == digest:
            continue
        if asked.get(candidate.batch) != digest:
            due.append(DueBatch(candidate.batch, candidate.path, digest))
    return due[: max(limit, 0)]
