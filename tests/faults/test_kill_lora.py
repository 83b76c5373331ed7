"""A training that is killed with SIGKILL and run again gives, bit by bit, the adapter that an undisturbed one gives."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from clinical_assets.storage import failpoints
from tests.unit.language_models.lora_bench import Labels, save_base, train

# Killed before a checkpoint, after some in the middle of an epoch and at its end (five steps each), and before the adapter is put
# into place; at more than one place, one after the other.
PLACES = [
    ["lora.before_checkpoint:1"],
    ["lora.before_checkpoint:8", "lora.after_checkpoint:2"],
    ["lora.after_checkpoint:6"],
    ["lora.before_replace", "lora.before_replace"],
]


def work(models: Path, base: Path, failpoint: str = "", largest_file: int | None = None) -> tuple[int, str]:
    """Train in a process of its own (forked: the libraries take longer to import than it trains); return its end and its log."""
    log = models.with_name(f"{models.name}.log")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.environ["CLINICAL_FAILPOINT"] = failpoint
            failpoints._visits.clear()
            with log.open("w") as lines:

                def say(line: str) -> None:
                    lines.write(line + "\n")
                    lines.flush()

                if largest_file is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
                try:
                    train(models, base, Labels(metric_name=None), checkpoint_seconds=0.0, log=say)
                    code = 0
                except Exception as error:
                    say(f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), log.read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("lora")
    base = save_base(folder / "base")
    assert work(folder / "models", base)[0] == 0
    return base, adapter(folder / "models")


def adapter(models: Path) -> dict[str, torch.Tensor]:
    (folder,) = models.glob("*/*")
    assert not folder.name.startswith("."), "nothing but the adapter is left"
    return load_file(folder / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("places", PLACES, ids="+".join)
def test_a_killed_training_goes_on_to_the_same_weights(
    undisturbed: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path, places: list[str]
) -> None:
    base, expected = undisturbed
    for place in places:
        assert work(tmp_path, base, place)[0] == -signal.SIGKILL, "the failpoint was not reached"
        assert not [item for item in tmp_path.glob("*/*") if not item.name.startswith(".")], "no half adapter"
    code, told = work(tmp_path, base)
    assert code == 0, told
    assert ("going on from step" in told) == (places != ["lora.before_checkpoint:1"])
    found = adapter(tmp_path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_disk_that_is_full_leaves_no_half_adapter(
    undisturbed: tuple[Path, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    base, expected = undisturbed
    code, told = work(tmp_path, base, largest_file=30_000)  # the adapter has more
    assert code == 1
    assert "ModelError: adapter" in told
    assert "cannot be written" in told
    assert not [item for item in tmp_path.glob("*/*") if not item.name.startswith(".")]
    assert work(tmp_path, base)[0] == 0
    assert all(torch.equal(tensor, expected[key]) for key, tensor in adapter(tmp_path).items())
