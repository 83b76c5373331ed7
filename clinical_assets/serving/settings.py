"""How the server is reached and how much it takes. Read from the environment when asked, never at import."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["ServingSettings", "check_host"]


class ServingSettings(BaseSettings):
    """Limits and secrets of the server. Every name is an environment variable with the prefix ``CLINICAL_SERVE_``."""

    model_config = SettingsConfigDict(env_prefix="CLINICAL_SERVE_", extra="ignore", frozen=True)

    token: SecretStr | None = Field(default=None, description="One bearer token; its holder is called default")
    tokens_file: Path | None = Field(default=None, description="File (0600) of lines: name token [tasks]")
    max_body_bytes: int = Field(default=4 << 20, ge=1024, le=256 << 20, description="Largest request body")
    max_calls: int = Field(
        default=32, ge=1, le=10_000, description="Calls being read, worked on or waiting; more get 429"
    )
    body_seconds: float = Field(default=30.0, gt=0, le=600, description="Time a caller has to send the body")
    wait_seconds: float = Field(default=60.0, gt=0, le=3600, description="Longest wait for the worker; then 503")
    user_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        description="Header in which a proxy with log-in names the user, for the audit, e.g. X-Forwarded-User",
    )


def check_host(host: str, *, behind_tls_proxy: bool) -> None:
    """Refuse an address that others reach, unless the operator says that a proxy with TLS stands before the server.

    Raises
    ------
    ValueError
        For a host that is no IP address (or localhost), or no loopback address without `behind_tls_proxy`.
    """
    if host == "localhost":
        return
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"host {host!r}: expected an IP address or localhost, e.g. 127.0.0.1") from None
    if not address.is_loopback and not behind_tls_proxy:
        raise ValueError(
            f"host {host}: texts and tokens would cross the network unencrypted. Keep 127.0.0.1 and put a proxy with TLS before it "
            "(docs/serving.md), or, where the proxy is on another machine or in another container, add --behind-tls-proxy."
        )
