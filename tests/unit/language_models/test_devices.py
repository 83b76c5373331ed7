"""Devices are found or refused by name; memory is foretold from files and configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clinical_assets.language_models.devices import (
    Device,
    DeviceError,
    Footprint,
    find_device,
    footprint_of,
    peak_memory,
    refuse_if_too_large,
)
from tests.unit.language_models import tiny_models as tiny

GPU = Device("cuda", "a GPU", 24 * 10**9, True)
CPU = Device("cpu", "CPU", 16 * 10**9, False)
SEVEN = {  # Mistral 7B
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
    "torch_dtype": "bfloat16",
}


def folder(tmp_path: Path, settings: dict[str, Any], sizes: dict[str, int] | None = None) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    for name, size in (sizes or {}).items():
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(size)  # sparse: takes no room
    return tmp_path


def test_the_cpu_is_there() -> None:
    device = find_device("cpu")
    assert (device.kind, device.name) == ("cpu", "CPU")
    assert 10**8 < device.free_bytes < 10**14
    assert peak_memory(device) > 10**8


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(DeviceError, match="unknown device 'tpu'; allowed: auto, cpu, cuda, mps"):
        find_device("tpu")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto").kind == "cpu"
    for kind in ("cuda", "mps"):
        with pytest.raises(DeviceError, match=f"CLINICAL_DEVICE={kind}, but torch finds none here; there is: cpu"):
            find_device(kind)


def test_the_best_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (7 * 10**9, 8 * 10**9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H1")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert find_device() == Device("cuda", "H1", 7 * 10**9, True)
    assert find_device("cpu").kind == "cpu"


def weights_of(settings: dict[str, Any]) -> tuple[int, int]:
    """All parameters and those of linear layers between embeddings and head, counted in the model itself."""
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    total = sum(p.numel() for p in model.parameters())
    inner = sum(m.weight.numel() for m in model.model.layers.modules() if isinstance(m, torch.nn.Linear))
    return total, inner


@pytest.mark.parametrize("on_disk", [True, False])
def test_seven_billion_weights(tmp_path: Path, on_disk: bool) -> None:
    total, inner = weights_of(SEVEN)
    assert total == 7_241_732_096
    sizes = {"model-1.safetensors": total, "model-2.safetensors": total} if on_disk else {}
    place = folder(tmp_path, SEVEN, sizes)
    entry = tiny.entry(parameters=7.24, context_length=8192)
    dense = footprint_of(entry, place, GPU)
    assert dense.dtype == "bfloat16"
    assert dense.weights == pytest.approx(14.48e9, rel=0.01)
    assert dense.cache == 2 * 32 * 8 * 128 * 8192 * 2
    assert dense.total == pytest.approx(1.15 * (14.48e9 + 1.07e9), rel=0.01)
    nf4 = footprint_of(entry.model_copy(update={"quantization": "nf4"}), place, GPU)
    assert nf4.weights == pytest.approx(inner * 4.127 / 8 + (total - inner) * 2, rel=0.02)
    assert 4.0e9 < nf4.weights < 4.5e9
    # A CPU without fast 16-bit floats computes in 32 bits.
    assert footprint_of(entry, place, CPU).weights == pytest.approx(28.97e9, rel=0.01)
    assert footprint_of(tiny.entry(parameters=7.24, dtype="float16"), place, CPU).dtype == "float16"


def test_without_files_the_catalogue_tells() -> None:
    entry = tiny.entry(parameters=7.24, context_length=8192)
    assert footprint_of(entry, None, GPU).weights == pytest.approx(14.48e9, rel=0.01)
    nf4 = footprint_of(entry.model_copy(update={"quantization": "nf4"}), None, GPU)
    assert nf4.weights == pytest.approx(4.13e9, rel=0.1)


def test_weights_stored_twice_are_counted_once(tmp_path: Path) -> None:
    place = folder(tmp_path, SEVEN, {"model.safetensors": 10**9, "consolidated.safetensors": 10**9})
    assert footprint_of(tiny.entry(), place, GPU).weights == 10**9


def test_settings_may_stand_one_level_deeper(tmp_path: Path) -> None:
    inner = {"head_dim": 256, "num_key_value_heads": 4, "num_hidden_layers": 26, "hidden_size": 1152, "vocab_size": 9}
    place = folder(tmp_path, {"text_config": inner, "dtype": "float32"}, {"model.safetensors": 4 * 10**9})
    found = footprint_of(tiny.entry(context_length=1000), place, GPU)
    assert found.weights == 2 * 10**9
    assert found.cache == 2 * 26 * 4 * 256 * 1000 * 2


def test_what_fits_passes_and_what_does_not_is_told_with_numbers_and_advice() -> None:
    small, large = Footprint(10**9, 10**8, "bfloat16"), Footprint(30 * 10**9, 10**9, "bfloat16")
    refuse_if_too_large(tiny.entry(), small, GPU, ValueError)
    with pytest.raises(ValueError) as caught:
        refuse_if_too_large(tiny.entry(), large, GPU, ValueError)
    told = str(caught.value)
    assert "model 'tiny' needs about 35.6 GB as bfloat16 (weights 30.0, cache 1.0), but a GPU has 24.0 GB free" in told
    assert "quantization: nf4" in told
    assert "context_length" not in told
    assert told.endswith("a smaller model, a larger device, or backend: server")


@pytest.mark.parametrize(
    ("changed", "footprint", "advice"),
    [
        ({"quantization": "nf4"}, Footprint(30 * 10**9, 0, "bfloat16"), False),
        ({"backend": "gguf", "gguf_file": "a.gguf"}, Footprint(30 * 10**9, 0, "bfloat16"), False),
        ({}, Footprint(300 * 10**9, 0, "bfloat16"), False),
        ({}, Footprint(30 * 10**9, 0, "bfloat16"), True),
    ],
)
def test_nf4_is_advised_where_it_would_help(changed: dict[str, Any], footprint: Footprint, advice: bool) -> None:
    with pytest.raises(ValueError) as caught:
        refuse_if_too_large(tiny.entry(**changed), footprint, GPU, ValueError)
    assert ("quantization: nf4" in str(caught.value)) == advice
    assert ("as nf4 (" in str(caught.value)) == ("quantization" in changed)


def test_a_large_cache_is_told_how_to_shrink() -> None:
    with pytest.raises(ValueError, match="a lower context_length needs less cache"):
        refuse_if_too_large(tiny.entry(), Footprint(10**9, 40 * 10**9, "bfloat16"), GPU, ValueError)
