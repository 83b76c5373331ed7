"""Alerts name the run and nothing of its data, and a channel that fails does not stop the others."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from clinical_assets.settings import Settings
from sensors.alerts import alert_on_run_failure, alert_payload, send_alert


@pytest.fixture
def webhook():
    got: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", got
    server.shutdown()


def test_a_failed_run_reaches_the_webhook_with_names_only(webhook) -> None:
    url, got = webhook

    @dg.op
    def fails() -> None:
        raise ValueError("CANARYTEXT of a note")

    @dg.job
    def doomed() -> None:
        fails()

    from resources.deployment import DeploymentResource

    with dg.DagsterInstance.ephemeral() as instance, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINICAL_ALERT_WEBHOOK", url)
        result = doomed.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_on_run_failure",
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"deployment": DeploymentResource()},
        ).for_run_failure()
        alert_on_run_failure(context)
    assert [(m["event"], m["job"], m["run_id"]) for m in got] == [("run_failed", "doomed", result.run_id)]
    assert "CANARYTEXT" not in json.dumps(got)


def test_a_dead_webhook_is_reported_without_its_address() -> None:
    settings = Settings(
        alert_webhook="http://127.0.0.1:9/hook?token=s3cret", alert_email_to="a@example.org", smtp_port=9
    )
    failed = send_alert({"run_id": "r", "job": "j"}, settings)
    assert len(failed) == 2
    assert "s3cret" not in " ".join(failed)
    assert "s3cret" not in repr(settings)


def test_without_channels_nothing_is_sent() -> None:
    assert send_alert({"run_id": "r", "job": "j"}, Settings()) == []


def test_the_payload_names_the_partition() -> None:
    run = dg.DagsterRun(job_name="j", run_id="0123", tags={"dagster/partition": "2024-01"})
    assert alert_payload(run)["partition"] == "2024-01"
