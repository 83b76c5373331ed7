"""Running the app: settings, tokens and host are checked, then uvicorn serves until it is told to stop."""

from __future__ import annotations

import logging

from clinical_assets.serving.openings import deployment_engines
from clinical_assets.serving.settings import ServingSettings, check_host
from clinical_assets.serving.tokens import load_tokens
from clinical_assets.settings import Settings
from clinical_assets.study.load import load_study

__all__ = ["run_server"]


def run_server(deployment: Settings, settings: ServingSettings, host: str, port: int, *, behind_tls_proxy: bool) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    Raises
    ------
    ValueError
        If the host is not allowed, no good token is there, the study is wrong or the audit was changed.
    Locked
        If another server of this deployment runs.
    """
    import uvicorn

    from clinical_assets.serving.app import build_app
    from clinical_assets.serving.audit import AuditLog

    check_host(host, behind_tls_proxy=behind_tls_proxy)
    tokens, study = load_tokens(settings), load_study(deployment.study)
    with AuditLog(deployment.audit):
        pass  # what is wrong with the audit is said before a port is taken
    app = build_app(settings, study, tokens, deployment_engines(deployment, study), deployment.audit, open_engines=True)
    # without the names of loggers: uvicorn's for all that it says is "uvicorn.error"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger(__name__).info(
        f"serving on http://{host}:{port}, audit in {deployment.audit}; /health tells which tasks are loaded"
    )
    logging.getLogger("nmslib").setLevel(logging.WARNING)  # it would tell every step of its loading
    # uvicorn's access log would write whatever stands in an address; the gate logs calls without it.
    config = uvicorn.Config(
        app, host=host, port=port, access_log=False, log_config=None, log_level="info", server_header=False,
        proxy_headers=False, timeout_keep_alive=30, timeout_graceful_shutdown=30, lifespan="on",
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 1
