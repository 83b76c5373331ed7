"""What /openapi.json says of calls that fail."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from clinical_assets.serving.problems import PROBLEM_TYPE, Problem

__all__ = ["PROBLEMS", "describe_problems"]

_REF = "#/components/schemas/{model}"
_WORDS = {
    400: "The call as a whole is not as expected",
    401: "No token, or none that is known",
    403: "The token is not for this task",
    408: "The body did not come in time",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "The body is not what is expected; errors says where",
    429: "Too many calls at once; Retry-After says when to call again",
    500: "Nobody foresaw this; the id of the call is in the log",
    503: "A task is unavailable, the wait was too long, or the audit cannot be written",
}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": words, "content": {PROBLEM_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}}
    for status, words in _WORDS.items()
}


def describe_problems(app: FastAPI) -> None:
    """Put the model of problems into the app's description."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        made = plain()
        known = made["components"]["schemas"]
        if "Problem" not in known:
            schema = Problem.model_json_schema(ref_template=_REF)
            known |= {**schema.pop("$defs"), "Problem": schema}
        return made

    app.openapi = openapi  # type: ignore[method-assign]
