"""The review queue as a file for an annotation tool, from the command line: the same function as the asset's."""

from __future__ import annotations

import duckdb

from clinical_assets.annotations.review import export_review
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study

__all__ = ["write_review"]


def write_review(settings: Settings, *, to: str, n: int) -> list[str]:
    """Write the export and return what to say of it: where it is, what is in it, and how answers come back.

    Raises
    ------
    FileNotFoundError
        If there is no warehouse yet.
    ValueError
        If the tool is not known.
    """
    if not settings.warehouse.exists():
        raise FileNotFoundError(f"no warehouse at {settings.warehouse}: run clinical-assets run first")
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        done = export_review(
            connection, Lake(settings.lake), load_study(settings.study), settings.exports, format=to, n=n
        )
    lines = [f"{done.path}: {done.n_notes} notes, {done.n_answers} answers asked. It holds text of notes."]
    if done.setup:
        lines.append(f"{done.setup}: what the project in the tool is set up with")
    return [*lines, f"Drop the tool's export into {settings.landing / 'annotations'}; what follows from it follows."]
