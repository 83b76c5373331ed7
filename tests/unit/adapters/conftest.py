"""What the tests of the adapters share."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinical_assets.storage.lake import Lake
from tests.unit.adapters.annotated import Annotated


@pytest.fixture
def annotated(tmp_path: Path) -> Annotated:
    """Return a lake that annotated notes are put into."""
    return Annotated(Lake(tmp_path / "lake"))
