"""Which landed column feeds which stored column.

Put here the look-up of column names and the wording of its failures. Names are only echoed where they cannot be data:
a file without a header line would otherwise show its first note in an error message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from clinical_assets.notes.errors import MissingColumn

__all__ = ["OPTIONAL", "REQUIRED", "pick_columns"]

REQUIRED = ("note_id", "person_id", "note_date", "text")
OPTIONAL = ("note_type", "note_class", "site", "visit_occurrence_id")
_IDENTIFIER = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]{0,39}\Z")


def pick_columns(found: Sequence[str], wanted: Mapping[str, Sequence[str]], where: str) -> dict[str, int]:
    """Return stored column -> position in ``found``; the first candidate present wins, case and blanks do not count.

    Raises:
        MissingColumn: A required column has no candidate, or the one that wins is there twice.
    """
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(found):
        positions.setdefault(name.strip().lower(), []).append(position)
    picked: dict[str, int] = {}
    missing: list[str] = []
    for stored in (*REQUIRED, *OPTIONAL):
        candidates = [name.strip().lower() for name in wanted.get(stored, ())]
        hit = next((name for name in candidates if name in positions), None)
        if hit is None:
            if stored in REQUIRED:
                missing.append(stored)
        elif len(positions[hit]) > 1:
            raise MissingColumn(
                f"the column for {stored} is there {len(positions[hit])} times.",
                where=where,
                mend="Land each column once.",
            )
        else:
            picked[stored] = positions[hit][0]
    if missing:
        accepted = "; ".join(f"{stored} from {' | '.join(wanted.get(stored, ())) or '(nothing)'}" for stored in missing)
        raise MissingColumn(
            f"no column for {', '.join(missing)}. Expected: {accepted}. Found: {_shown(found, bool(picked))}.",
            where=where,
            mend=f"Add the landed name to the study's mapping, e.g. `notes: {{{missing[0]}: [your_column]}}`, "
            "or land the column.",
        )
    return picked


def _shown(found: Sequence[str], is_header: bool) -> str:
    # Without one known name among them, the "columns" may be the first row of a file without a header.
    if not is_header:
        return f"{len(found)} columns, none of them known (does the file have a header line?)"
    shown = [name if _IDENTIFIER.match(name.strip()) else f"<{len(name)} characters>" for name in found[:30]]
    return ", ".join(shown) + (f", and {len(found) - 30} more" if len(found) > 30 else "")
