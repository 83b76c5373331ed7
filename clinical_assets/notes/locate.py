"""Where a note batch lies in the landing folder, by its key."""

from __future__ import annotations

from pathlib import Path

from clinical_assets.notes.errors import CorruptFile, MissingFile
from clinical_assets.notes.guards import DATA_FORMATS, SUCCESS, resolve_inside
from clinical_assets.notes.landing import batch_key

__all__ = ["locate_batch"]


def locate_batch(notes_dir: Path, batch: str) -> Path:
    """Return the landed file or folder of a batch key.

    Raises
    ------
    MissingFile
        If nothing landed under that key, or it is gone.
    CorruptFile
        If more than one entry has that key: none can be preferred silently.
    UnsafePath
        If the entry leads outside the landing folder.
    """
    names = [f"{batch}{suffix}{packed}" for suffix in DATA_FORMATS for packed in ("", ".gz")]
    found = [name for name in names if (notes_dir / name).is_file()]
    if (notes_dir / batch / SUCCESS).is_file():
        found.append(batch)
    if not found and notes_dir.is_dir():  # endings may be in capitals
        found = [path.name for path in notes_dir.iterdir() if path.is_file() and batch_key(path.name) == batch]
    if not found:
        raise MissingFile(
            "Nothing lies under this key, or the folder has no _SUCCESS yet.",
            where=batch,
            mend="Deliver it again, or delete the partition.",
        )
    if len(found) > 1:
        raise CorruptFile(
            f"{len(found)} entries have this key: {', '.join(found)}.", where=batch, mend="Keep one of them."
        )
    return resolve_inside(notes_dir, found[0])
