"""Hospitals for the tests: one of the default size and a small one, each built once."""

from __future__ import annotations

import pytest

from clinical_assets.synthetic import Hospital, HospitalConfig, build_hospital


@pytest.fixture(scope="session")
def hospital() -> Hospital:
    """The default hospital: 1,500 persons."""
    return build_hospital()


@pytest.fixture(scope="session")
def small() -> Hospital:
    """One deck of archetypes: 300 persons."""
    return build_hospital(HospitalConfig(n_persons=300))
