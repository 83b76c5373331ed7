"""Alerts: a failed run is always logged, and sent to a webhook or by e-mail where the deployment names one."""

import json
import smtplib
import urllib.request
from email.message import EmailMessage

import dagster as dg

from clinical_assets.settings import Settings
from resources.deployment import DeploymentResource

__all__ = ["alert_on_run_failure", "alert_payload", "send_alert"]

_TIMEOUT = 10.0  # seconds


def alert_payload(run: dg.DagsterRun) -> dict[str, str]:
    """Return what an alert says: names and ids only. The error's text stays in Dagster, where access is controlled."""
    return {
        "event": "run_failed",
        "run_id": run.run_id,
        "job": run.job_name,
        "partition": run.tags.get("dagster/partition", ""),
        "look_at": f"/runs/{run.run_id}",
    }


def send_alert(payload: dict[str, str], settings: Settings) -> list[str]:
    """Send `payload` to every configured channel and return the channels that failed; never raises for a channel."""
    failed = []
    if settings.alert_webhook:
        try:
            request = urllib.request.Request(
                settings.alert_webhook.get_secret_value(),
                data=json.dumps(payload).encode(),
                headers={"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=_TIMEOUT).close()
        except (OSError, ValueError) as error:  # the URL may hold a token: only the kind of error is named
            failed.append(f"webhook ({type(error).__name__})")
    if settings.alert_email_to:
        try:
            message = EmailMessage()
            message["Subject"] = f"clinical-assets: run of {payload['job']} failed"
            message["To"], message["From"] = settings.alert_email_to, settings.alert_email_to
            message.set_content("\n".join(f"{name}: {value}" for name, value in payload.items()))
            with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=_TIMEOUT) as server:
                server.send_message(message)
        except OSError as error:
            failed.append(f"e-mail ({type(error).__name__})")
    return failed


@dg.run_failure_sensor(
    name="alert_on_run_failure",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs every failed run and sends it to CLINICAL_ALERT_WEBHOOK and CLINICAL_ALERT_EMAIL_TO where set.",
)
def alert_on_run_failure(context: dg.RunFailureSensorContext, deployment: DeploymentResource) -> None:
    """Alert on a failed run; a channel that fails is logged and does not fail the tick."""
    payload = alert_payload(context.dagster_run)
    context.log.error(f"run failed: {json.dumps(payload)}")
    for channel in send_alert(payload, deployment.settings()):
        context.log.error(f"alert not delivered by {channel}; run {payload['run_id']}")
