"""Which adapter labels a batch: the promoted one, unless the batch was labelled before and only follows its notes."""

from __future__ import annotations

from pathlib import Path

from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.adapter_store import adapter_folder
from clinical_assets.language_models.catalogue import LABELS_TASK, ModelEntry
from clinical_assets.storage.lake import Lake

__all__ = ["FOLLOWS", "adapter_for"]

# Tag of a run that nobody started for this asset: it brings up to date, and makes nothing anew.
FOLLOWS = "clinical/follows"


def adapter_for(lake: Lake, models: Path, entry: ModelEntry, batch: str, *, keep: bool) -> str | None:
    """Return the digest of the adapter that is to label a batch; None if there is none.

    Parameters
    ----------
    models
        Folder of trained models.
    keep
        Whether a batch that has labels keeps the adapter that made them, so that a note that changes does not have the others
        of its batch labelled anew by a newer adapter. If that adapter is gone, the promoted one labels.

    Raises
    ------
    ModelError
        If the file that names the promoted adapter cannot be read.
    """
    table = f"labels/{entry.adapted_labeller}"
    if keep and lake.has(table, batch):
        before = lake.read(table, batch, ["adapter_sha"]).slice(0, 1)["adapter_sha"].to_pylist()
        if before and adapter_folder(models, LABELS_TASK, entry, before[0]).is_dir():
            return str(before[0])
    return pointed_at(models, LABELS_TASK, entry, "promoted")
