"""Nothing leaks: telemetry of the libraries is off, model hubs are not asked, errors do not quote notes."""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Iterator

__all__ = ["StepError", "switch_off_telemetry", "withhold_messages"]

_OFF = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


def switch_off_telemetry() -> None:
    """Set the switches that are not set yet; a deployment that sets one (to use a model hub, say) keeps its choice."""
    for name, value in _OFF.items():
        os.environ.setdefault(name, value)


class StepError(RuntimeError):
    """A step that works on text of notes failed; the original message is withheld because libraries quote values."""


@contextlib.contextmanager
def withhold_messages(*safe: type[Exception]) -> Iterator[None]:
    """Let errors of the `safe` types through (their messages are ours); replace any other by where and what kind it was.

    Raises
    ------
    StepError
        For an error of any other type. Its kind, module and line are named; its message is not.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (*safe, StepError)):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        ours = [f for f in traceback.extract_tb(error.__traceback__) if "clinical_assets" in f.filename] or [frame]
        place = f"{ours[-1].filename.rsplit('clinical_assets', 1)[-1].lstrip('/')}:{ours[-1].lineno}"
        raise StepError(
            f"{type(error).__name__} in {place}. The message is withheld because it may quote a note."
        ) from None
