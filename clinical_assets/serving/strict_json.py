"""Bodies as JSON, strictly: what json.loads would forgive (a key given twice, NaN, another encoding) is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from clinical_assets.serving.problems import FieldProblem, ProblemError

__all__ = ["StrictRoute", "parse_body"]

_LONGEST_NUMBER = 40


class _Refused(ValueError):
    """Words are ours."""


def parse_body(body: bytes) -> Any:
    """Return the value of a JSON body.

    Raises
    ------
    ProblemError
        422, with the offset of what is wrong and nothing of it.
    """
    try:
        # Encoded surrogates pass here as their JSON escapes do: texts are mended later, all else refuses them.
        decoded = body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise _problem("UTF-8") from None
    try:
        return json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_short_int)
    except json.JSONDecodeError as error:
        raise _problem(f"valid JSON; it is none from character {error.pos} on") from None
    except _Refused as error:
        raise _problem(str(error)) from None
    except RecursionError:
        raise _problem("JSON that is nested no deeper than /openapi.json describes") from None


def _problem(expected: str) -> ProblemError:
    where = [FieldProblem(where="body", expected=expected)]
    return ProblemError(422, "The body is not JSON as expected.", "Send UTF-8 JSON as in /openapi.json.", errors=where)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("every key of an object once")
    return found


def _no_constant(name: str) -> Any:
    raise _Refused("JSON without NaN and Infinity")


def _short_int(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise _Refused(f"numbers of at most {_LONGEST_NUMBER} digits")
    return int(digits)


class _StrictRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse_body(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route whose body is parsed by :func:`parse_body`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict
