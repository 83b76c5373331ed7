"""How numerical libraries use the processor: waiting threads sleep instead of spinning."""

from __future__ import annotations

import os

__all__ = ["share_processor"]


def share_processor() -> None:
    """Let OpenMP threads sleep while they wait, unless the deployment has chosen otherwise. Call it before torch is imported.

    On a machine that is shared, two spinning threads that are not scheduled together wait for each other: a small model ran
    up to 20 times slower on 2 busy virtual cores (docs/models.md). Sleeping costs large models next to nothing.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
