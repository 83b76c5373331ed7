"""What a caller is told when a call fails: RFC 9457 problem details with an id, never a word of what was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import HTTPException
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PROBLEM_TYPE", "FieldProblem", "Problem", "ProblemError", "explain", "problem_bytes"]

PROBLEM_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One thing that is wrong with a body."""

    model_config = ConfigDict(extra="forbid")

    where: str = Field(
        description="Place in the body, e.g. texts[3].text; names that the server does not know are not repeated"
    )
    expected: str = Field(description="What belongs there")


class Problem(BaseModel):
    """Why a call failed (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", description="Always about:blank: title and status say what it is")
    title: str = Field(description="The HTTP status in words")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What went wrong, what was expected")
    mend: str = Field(description="What the caller can do about it")
    instance: str = Field(description="urn:uuid of this call: the audit and the log know it by the same id")
    errors: list[FieldProblem] = Field(default_factory=list, description="With 422: every place that is wrong")


class ProblemError(HTTPException):
    """A call ends here. All words in it are ours.

    Parameters
    ----------
    status
        HTTP status.
    detail, mend
        What went wrong and what to do.
    errors
        Places of the body.
    headers
        Of the answer, e.g. Retry-After.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        mend: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status_code=status, detail=detail, headers=dict(headers or {}))
        self.mend = mend
        self.errors = list(errors)


def problem_bytes(error: ProblemError, call_id: str) -> bytes:
    """Return the body of the answer to a call that failed."""
    problem = Problem(
        type="about:blank",
        title=HTTPStatus(error.status_code).phrase,
        status=error.status_code,
        detail=str(error.detail),
        mend=error.mend,
        instance=f"urn:uuid:{call_id}",
        errors=error.errors,
    )
    return json.dumps(problem.model_dump()).encode()


# Whatever pydantic says beyond these may quote what was sent.
_EXPECTED = {
    "missing": "required, but not given",
    "extra_forbidden": "no such field; allowed ones are in /openapi.json",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_LIMITS = {
    "string_too_long": ("max_length", "at most {} characters"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_pattern_mismatch": ("pattern", "a text that matches {}"),
    "too_long": ("max_length", "at most {} entries"),
    "too_short": ("min_length", "at least {} entries"),
    "enum": ("expected", "one of {}"),
    "literal_error": ("expected", "one of {}"),
}
_MOST_NAMED = 20


def explain(errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Return what is wrong with a body, out of pydantic's errors, without any of its values or unknown names."""
    return [
        FieldProblem(where=_place(error["loc"], error["type"]), expected=_expected(error))
        for error in errors[:_MOST_NAMED]
    ]


def _place(location: Sequence[str | int], kind: str) -> str:
    steps = list(location[1:] if location and location[0] == "body" else location)
    if kind == "extra_forbidden" and steps:
        steps[-1] = "(unknown field)"
    out = ""
    for step in steps:
        out += f"[{step}]" if isinstance(step, int) else f"{'.' if out else ''}{step}"
    return out or "body"


def _expected(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(context.get(name, "?"))
    if kind == "value_error" and isinstance(context.get("error"), ValueError):
        return str(context["error"])  # raised by the models of this package
    return _EXPECTED.get(kind, "what /openapi.json describes")
