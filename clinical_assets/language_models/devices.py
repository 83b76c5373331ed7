"""Devices and what fits on them: found without loading anything, estimated before weights are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinical_assets.language_models.catalogue import ModelEntry

__all__ = [
    "Device",
    "DeviceError",
    "Footprint",
    "allocated",
    "find_device",
    "footprint_of",
    "peak_memory",
    "refuse_if_too_large",
    "resident_peak",
    "start_of_peak",
]

_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
# NF4 with double quantization: 4 bits a weight and 0.127 for its scales (Dettmers et al. 2023); embeddings stay 16-bit.
_NF4_BYTES = 0.516
_SPARE = 1.15  # activations, fragmentation


class DeviceError(RuntimeError):
    """A device was asked for that is not there."""


@dataclass(frozen=True)
class Device:
    """Where models run.

    Attributes
    ----------
    kind
        cuda, mps or cpu.
    name
        As the driver names it.
    free_bytes
        Memory that is free now, bytes.
    bfloat16
        Whether 16-bit brain floats are fast there.
    """

    kind: str
    name: str
    free_bytes: int
    bfloat16: bool


@dataclass(frozen=True)
class Footprint:
    """Memory a model needs, in bytes: weights, the cache of one full context, both with some to spare; and the dtype."""

    weights: int
    cache: int
    dtype: str

    @property
    def total(self) -> int:
        """Bytes in all."""
        return int((self.weights + self.cache) * _SPARE)


def find_device(wanted: str = "auto") -> Device:
    """Return the best device, or the one that is asked for.

    Parameters
    ----------
    wanted
        auto, cpu, cuda or mps.

    Raises
    ------
    DeviceError
        If it is not there.
    """
    import torch

    if wanted not in {"auto", "cpu", "cuda", "mps"}:
        raise DeviceError(f"unknown device {wanted!r}; allowed: auto, cpu, cuda, mps (CLINICAL_DEVICE)")
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    kind = next(name for name in has if has[name]) if wanted == "auto" else wanted
    if not has[kind]:
        raise DeviceError(f"CLINICAL_DEVICE={kind}, but torch finds none here; there is: "
                          f"{', '.join(name for name, there in has.items() if there)}")  # fmt: skip
    if kind == "cuda":
        free, _ = torch.cuda.mem_get_info()
        return Device(kind, torch.cuda.get_device_name(), int(free), torch.cuda.is_bf16_supported())
    import psutil

    free = int(psutil.virtual_memory().available)
    if kind == "mps":
        return Device(kind, "Apple GPU", free, False)
    return Device(kind, "CPU", free, bool(torch.cpu._is_amx_tile_supported()))


def footprint_of(entry: ModelEntry, place: Path | None, device: Device) -> Footprint:
    """Estimate a model's memory from its files' sizes and configuration, or from the catalogue where there are none."""
    stored = "bfloat16"
    settings: dict[str, Any] = {}
    if place is not None and (place / "config.json").is_file():
        settings = json.loads((place / "config.json").read_text(encoding="utf-8"))
        settings = {**settings, **settings.get("text_config", {})}
        stored = str(settings.get("dtype") or settings.get("torch_dtype") or "float32")
    dtype = entry.dtype
    if dtype == "auto":
        dtype = "bfloat16" if device.bfloat16 else ("float16" if device.kind == "cuda" else "float32")
    # Some repositories hold the same weights once more in their maker's own layout (consolidated*).
    files = [] if place is None else [f for f in place.glob("*.safetensors") if not f.name.startswith("consolidated")]
    on_disk = sum(file.stat().st_size for file in files)
    n = on_disk / _BYTES.get(stored, 2.0) if on_disk else (entry.parameters or 0.0) * 1e9
    if entry.quantization == "nf4":
        embedding = 2 * settings.get("vocab_size", 0) * settings.get("hidden_size", 0)
        weights = max(n - embedding, 0) * _NF4_BYTES + embedding * 2.0
    else:
        weights = n * _BYTES[dtype]
    heads = settings.get("num_key_value_heads") or settings.get("num_attention_heads") or 8
    size = settings.get("head_dim") or settings.get("hidden_size", 4096) // (settings.get("num_attention_heads") or 32)
    layers = settings.get("num_hidden_layers", 32)
    cache = 2 * layers * heads * size * entry.context_length * _BYTES[dtype]
    return Footprint(int(weights), int(cache), dtype)


def refuse_if_too_large(entry: ModelEntry, footprint: Footprint, device: Device, error: type[Exception]) -> None:
    """Raise `error` with the numbers, and what would fit, if a model is larger than the free memory."""
    if footprint.total <= device.free_bytes:
        return
    advice = []
    if entry.quantization is None and entry.backend == "transformers" and footprint.weights * 0.3 < device.free_bytes:
        advice.append("quantization: nf4 would need about a quarter of the weights' memory")
    if footprint.cache > footprint.weights / 4:
        advice.append("a lower context_length needs less cache")
    advice.append("a smaller model, a larger device, or backend: server")
    raise error(
        f"model {entry.name!r} needs about {footprint.total / 1e9:.1f} GB as {entry.quantization or footprint.dtype} "
        f"(weights {footprint.weights / 1e9:.1f}, cache {footprint.cache / 1e9:.1f}), but {device.name} has "
        f"{device.free_bytes / 1e9:.1f} GB free. What would help: {'; '.join(advice)}"
    )


def peak_memory(device: Device) -> int:
    """Return the most memory this process has used so far on the device, bytes."""
    if device.kind == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resident_peak()


def resident_peak() -> int:
    """Return the most memory of the machine that this process has used so far, bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def start_of_peak(device: Device) -> None:
    """Measure the peak of a GPU from here on (that of the process cannot be set back)."""
    if device.kind == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()


def allocated(device: Device) -> int | None:
    """Return the memory that tensors hold on a GPU now, bytes; None where there is none."""
    if device.kind != "cuda":
        return None
    import torch

    return int(torch.cuda.memory_allocated())
