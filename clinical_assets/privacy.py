"""Nothing phones home: telemetry of the libraries is off, model hubs are not asked."""

from __future__ import annotations

import os

__all__ = ["switch_off_telemetry"]

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
