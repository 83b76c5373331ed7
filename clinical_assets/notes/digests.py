"""Digests of landed content, and the producer's manifests that they are held against.

Put here what hashes files. Which batches are due is `landing`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from clinical_assets.notes.errors import CorruptFile, ManifestMismatch, MissingFile, safe_name
from clinical_assets.notes.guards import SUCCESS, batch_files

__all__ = ["content_digest"]

_SHA256 = re.compile(r"^[0-9a-f]{64}\Z")
_MANIFEST_BYTES = 16 << 20


def content_digest(path: Path, *, root: Path | None = None) -> str:
    """Return the SHA-256 (hex) of a landed batch's content, streaming.

    A file is its bytes (its name does not count); a folder is the sorted names of its data files and their digests. A
    producer may say what he delivered, which is verified here: a file ``<name>.sha256`` beside a loose file (the
    output of sha256sum), or in a folder's ``_SUCCESS`` the JSON ``{"files": {name: sha256}}`` with every data file.

    Args:
        path: The landed file or folder.
        root: The landing folder, which links inside a batch may not leave.

    Raises:
        ManifestMismatch: The content is not what the manifest says, or the manifest cannot be read.
        MissingFile, UnsupportedFormat, UnsafePath: See ``guards.batch_files``.
        CorruptFile: A file cannot be read.
    """
    digests = {file.name: _file_digest(file) for file in batch_files(path, root=root)}
    if path.is_file():
        (digest,) = digests.values()
        _verify(_sidecar(path), digests, path.name)
        return digest
    _verify(_manifest(path / SUCCESS), digests, path.name)
    whole = hashlib.sha256()
    for name in sorted(digests):
        whole.update(f"{name}\0{digests[name]}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingFile("the file is no longer there.", where=path.name, mend="Deliver it again.") from error
    except OSError as error:
        raise CorruptFile(
            f"the file cannot be read ({type(error).__name__}).", where=path.name, mend="Check permissions and disk."
        ) from error


def _sidecar(path: Path) -> dict[str, str] | None:
    beside = path.with_name(path.name + ".sha256")
    if not beside.is_file():
        return None
    words = _small(beside).split()
    if not words or not _SHA256.match(words[0].lower()):
        raise ManifestMismatch("expected the output of sha256sum.", where=beside.name, mend="Write it again.")
    return {path.name: words[0].lower()}


def _manifest(marker: Path) -> dict[str, str] | None:
    where = f"{marker.parent.name}/{marker.name}"
    content = _small(marker).strip()
    if not content.startswith("{"):
        return None  # an empty marker, or a timestamp: no manifest
    try:
        files = json.loads(content).get("files")
    except (ValueError, RecursionError):
        raise ManifestMismatch("it is no valid JSON.", where=where, mend="Write it again, or leave it empty.") from None
    if files is None:
        return None
    if not isinstance(files, dict) or not all(isinstance(value, str) for value in files.values()):
        raise ManifestMismatch('"files" is no map of name to sha256.', where=where, mend="Write it again.")
    return {str(name): value.lower() for name, value in files.items()}


def _small(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MANIFEST_BYTES + 1)
    except OSError as error:
        raise MissingFile("the manifest cannot be read.", where=path.name, mend="Deliver it again.") from error
    if len(content) > _MANIFEST_BYTES:
        raise ManifestMismatch("the manifest is larger than 16 MiB.", where=path.name, mend="Land larger files.")
    return content.decode("utf-8", "replace")


def _verify(expected: dict[str, str] | None, found: dict[str, str], where: str) -> None:
    if expected is None:
        return
    mend = "Deliver the files and their manifest again."
    for name, digest in expected.items():
        if name not in found:
            raise ManifestMismatch(f"{safe_name(name)} is in the manifest and not there.", where=where, mend=mend)
        if found[name] != digest:
            raise ManifestMismatch(f"{safe_name(name)} is not the file of the manifest.", where=where, mend=mend)
    if extra := sorted(set(found) - set(expected)):
        raise ManifestMismatch(f"{safe_name(extra[0])} is there and not in the manifest.", where=where, mend=mend)
