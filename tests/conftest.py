"""Fixtures: a tiny hospital on disk and the real definitions over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hospital import Hospital

ROOT = Path(__file__).resolve().parents[1]

for name, value in {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "HF_HUB_OFFLINE": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",  # see clinical_assets/processor.py
}.items():
    os.environ.setdefault(name, value)
for name in [name for name in os.environ if name.startswith("CLINICAL_") and name != "CLINICAL_PUBLIC_DATA"]:
    del os.environ[name]  # a developer's own settings must not reach the tests


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path / "data")


@pytest.fixture
def defs(hospital: Hospital) -> Any:
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    return build_defs(deployment=DeploymentResource(data=str(hospital.data)))


@pytest.fixture
def instance() -> Iterator[Any]:
    import dagster as dg

    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def execute(defs: Any, instance: Any):
    """Run a job of the real definitions in this process; the instance knows the batch."""
    from resources.partitions import NOTE_BATCHES_NAME

    def go(job: str, batch: str | None = None, *, raises: bool = True):
        if batch:
            instance.add_dynamic_partitions(NOTE_BATCHES_NAME, [batch])
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=batch, raise_on_error=raises
        )

    return go


@pytest.fixture(scope="session")
def demo_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with demo models of a few training steps."""
    from tests.dagster_assets.demo_weights import train_a_little

    folder = tmp_path_factory.mktemp("models")
    train_a_little(folder)
    return folder


@pytest.fixture(scope="session")
def public_data() -> Path:
    path = Path(os.environ.get("CLINICAL_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "omop" / "gibleed").is_dir():
        pytest.skip(f"public data is not at {path}; set CLINICAL_PUBLIC_DATA to run this")
    return path
