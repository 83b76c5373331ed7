"""What making a model takes: seconds, processor time, and the most memory, of this process or of its GPU."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.language_models.devices import resident_peak

__all__ = ["Usage", "measured"]


@dataclass
class Usage:
    """Filled when the block ends.

    Attributes
    ----------
    seconds, processor_seconds
        Of the clock, and of all cores together.
    peak_bytes
        Most memory of the process in the block (where the system cannot set its peak back: since it began); of the GPU where one was used.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_bytes: int = 0


@contextlib.contextmanager
def measured() -> Iterator[Usage]:
    """Measure a block, and clean up behind it, also where it fails: the next model has the memory to itself."""
    usage, torch = Usage(), sys.modules.get("torch")
    _forget_peak()
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    clock, processor = time.monotonic(), time.process_time()
    try:
        yield usage
    finally:
        usage.seconds, usage.processor_seconds = time.monotonic() - clock, time.process_time() - processor
        usage.peak_bytes = _peak()
        gc.collect()
        torch = sys.modules.get("torch")  # it may be loaded only by now
        if torch is not None and torch.cuda.is_available():
            usage.peak_bytes = int(torch.cuda.max_memory_allocated()) or usage.peak_bytes
            torch.cuda.empty_cache()


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: the peak starts anew


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration, ValueError):
        return resident_peak()
