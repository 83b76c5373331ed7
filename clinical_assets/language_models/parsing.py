"""From what a model wrote to values: a reader that forgives the form of an answer and never guesses its content.

A value counts only where it is written as one. Whatever is cut off, missing, contradictory or of another kind fails the
whole answer, so that no field is False for want of an answer. Reasons are fixed words and counts, never the text.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from typing import Any

from clinical_assets.language_models.answers import Answer, AnswerSchema

__all__ = ["complaint", "exceeds_context", "parse_answer", "true_probabilities"]

# where an object may begin; any other brace is prose
_OPENING = re.compile(r"""\{(?=\s*(?:["'“]|[A-Za-z_]\w*\s*:|$))""")
_BRACE_OR_QUOTE = re.compile(r"""\\.|["'{}]""", re.DOTALL)
_FENCE_BEFORE, _FENCE_AFTER = re.compile(r"```[ \t]*\w*$"), re.compile(r"\s*```")
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_CONTEXT_EXCEEDED = re.compile(
    r"context[ _-]?(length|size|window)|maximum context|exceed\w* .{0,40}context|too many tokens|max_model_len"
    r"|(prompt|input)\b.{0,40}too long",
    re.IGNORECASE,
)
_LONGEST_REPAIR = 20_000  # characters; the repair of endless nonsense would take endless time


class _UnreadableError(ValueError):
    """No values; the text is the reason, in fixed words."""


class _TruncatedError(_UnreadableError):
    """The text ended too early."""


def parse_answer(text: str, schema: AnswerSchema, *, finish_reason: str | None = None) -> Answer:
    """Read the values out of a model's free text. Raises nothing, whatever the text.

    Parameters
    ----------
    text
        What the model wrote: a thought in <think> tags, prose and code fences around the object are passed over; the
        last whole object with a field of the schema counts.
    schema
        The fields.
    finish_reason
        Why the server says the text ended; `length` is a cut.

    Returns
    -------
    Answer
        `labelled` with all values (`reason`: what was mended, as `repaired:<word>` joined by ;), `truncated` or
        `parse_error`; without probabilities.
    """
    try:
        if finish_reason == "length":
            raise _TruncatedError("finish_reason_length")
        values, repairs = _read(text, schema)
    except _TruncatedError as error:
        return Answer.failure(schema, "truncated", str(error))
    except _UnreadableError as error:
        return Answer.failure(schema, "parse_error", str(error))
    reason = ";".join(f"repaired:{word}" for word in dict.fromkeys(repairs)) or None
    return Answer("labelled", values, (None,) * len(values), reason=reason)


def _read(text: str, schema: AnswerSchema) -> tuple[tuple[bool, ...], list[str]]:
    start, end = _answer_span(text, schema)
    body, repairs = text[start:end], []
    before, after = text[_thought_end(text) : start].rstrip(), text[end:]
    fence, fence_end = _FENCE_BEFORE.search(before), _FENCE_AFTER.match(after)
    if fence and fence_end:
        repairs.append("code_fence")
        before, after = before[: fence.start()], after[fence_end.end() :]
    if before.strip() or after.strip():
        repairs.append("surrounding_text")
    pairs = _strict_pairs(body)
    if pairs is None:
        pairs = _mended_pairs(body, schema, repairs)
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in schema.fields and name in found:
            if _as_boolean(value, []) is not _as_boolean(found[name], []):
                raise _UnreadableError("duplicate_keys")
            repairs.append("repeated_keys")
        found[name] = value
    missing = sum(found.get(name) is None for name in schema.fields)
    if missing:
        raise _UnreadableError(f"missing_keys:{missing}")
    values = [_as_boolean(found[name], repairs) for name in schema.fields]
    wrong = values.count(None)
    if wrong:
        raise _UnreadableError(f"wrong_type:{wrong}")
    if set(found) - set(schema.fields):
        repairs.append("extra_keys")
    return tuple(bool(value) for value in values), repairs


def _thought_end(text: str) -> int:
    """Return where the thought ends; its opening tag may stand in the prompt, so that only the closing one is seen."""
    closed = text.rfind("</think>")
    end = closed + len("</think>") if closed >= 0 else 0
    if "<think>" in text[end:]:
        raise _TruncatedError("unclosed_thought")
    return end


def _answer_span(text: str, schema: AnswerSchema) -> tuple[int, int]:
    """Return start and end of the last whole object with a field of the schema."""
    named = "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in schema.fields)
    answers = re.compile(rf"""(?:{named})["'”]?\s*:""")
    at, best = _thought_end(text), None
    while opening := _OPENING.search(text, at):
        start = opening.start()
        end = _object_end(text, start)
        if end is None:
            # a brace of the prose may stay open behind an answer, but not one that begins to answer again
            if best is None or re.search(named, text[start:]):
                raise _TruncatedError("unbalanced_braces")
            break
        if answers.search(text, start, end):
            best = (start, end)
        at = end
    if best is None:
        raise _UnreadableError("empty_answer" if not text.strip() else "no_json_object")
    return best


def _object_end(text: str, start: int) -> int | None:
    """Return where the object that starts here ends, braces within strings aside; None if it does not."""
    depth, quote = 0, ""
    for mark in _BRACE_OR_QUOTE.finditer(text, start):
        character = mark.group()
        if quote:
            quote = "" if character == quote else quote
        elif character in {'"', "'"}:
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return mark.end()
    return None


class _Pairs(list[tuple[str, Any]]):
    """The pairs of an object, repeated keys included."""


def _strict_pairs(body: str) -> _Pairs | None:
    try:
        return json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None


def _written(body: str, name: str) -> list[re.Match[str]]:
    """Return the places where the field is given a bare or quoted value of one word or digit."""
    pattern = rf"""(?<!\w)(["'“]?){re.escape(name)}["'”]?\s*:\s*["'“]?(?P<value>\w+)["'”]?\s*(?=[,}}]|//|\#|["'“]\w)"""
    return list(re.finditer(pattern, body))


def _mended_pairs(body: str, schema: AnswerSchema, repairs: list[str]) -> _Pairs:
    """Read what is nearly JSON: json_repair mends it, and every value must stand in the text as it was read."""
    if len(body) > _LONGEST_REPAIR:
        raise _UnreadableError("not_json")
    from json_repair import loads

    try:
        mended = loads(body, skip_json_loads=True)
    except Exception:  # noqa: BLE001 - whatever the repair stumbles over is no JSON; its message may hold the text
        raise _UnreadableError("not_json") from None
    if not isinstance(mended, dict):
        raise _UnreadableError("not_json")
    pairs = _Pairs((name, value) for name, value in mended.items() if name not in schema.fields)
    words: list[str] = []
    for name in schema.fields:
        if name not in mended:
            continue
        here = [place["value"] for place in _written(body, name)]
        written = {_as_boolean(int(word) if word in {"0", "1"} else word, []) for word in here}
        if len(written) > 1:
            raise _UnreadableError("duplicate_keys")
        read = _as_boolean(mended[name], [])
        if read is not None and read not in written:
            raise _UnreadableError("not_json")
        words += here
        pairs += [(name, mended[name])] * max(1, len(here))
    kinds = {
        "single_quotes": any(re.search(rf"'{re.escape(name)}'\s*:", body) for name in schema.fields),
        "unquoted_keys": any(re.search(rf"[{{,\s]{re.escape(name)}\s*:", body) for name in schema.fields),
        "python_boolean": bool({"True", "False"}.intersection(words)),
        "trailing_comma": bool(re.search(r",\s*\}$", body)),
    }
    repairs += [kind for kind, seen in kinds.items() if seen] or ["syntax"]
    return pairs


def _as_boolean(value: Any, repairs: list[str]) -> bool | None:
    """Return the boolean that is meant, None if none is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in {0, 1}:
        repairs.append("number_boolean")
        return bool(value)
    if isinstance(value, str):
        meant = _WORDS.get(value.strip().lower())
        if meant is not None:
            repairs.append("string_boolean")
        return meant
    return None


def true_probabilities(text: str, schema: AnswerSchema, tokens: Any) -> tuple[float | None, ...]:
    """Return P(true) a field, of true and false, from the logprobs of the tokens where the values begin.

    Parameters
    ----------
    text
        The answer, as given to `parse_answer`.
    schema
        The fields.
    tokens
        `choices[0].logprobs.content` of the server, of any shape: what cannot be aligned with the text is None. Where
        one of the two is not among the alternatives told, the other takes all.
    """
    nothing = (None,) * len(schema.fields)
    try:
        pieces = [_piece(token) for token in tokens]
        begins = [0]
        for piece in pieces:
            begins.append(begins[-1] + len(piece))
        start, end = _answer_span(text, schema)
        body = text[start:end]
        # the tokens may hold a thought that the text lacks, and end in a special token
        base = b"".join(pieces).rfind(_bytes(body))
        if base < 0:
            return nothing
        found: list[float | None] = []
        for name in schema.fields:
            places = _written(body, name)
            if len(places) != 1:
                found.append(None)
                continue
            at = base + len(_bytes(body[: places[0].start("value")]))
            index = bisect_right(begins, at) - 1
            found.append(_share_of_true(tokens[index], pieces[index][: at - begins[index]]))
        return tuple(found)
    except (TypeError, LookupError, ValueError, AttributeError, ArithmeticError):
        return nothing


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _piece(token: Any) -> bytes:
    """Return the bytes of a token: one may end within a letter, and only `bytes` tells it exactly."""
    return bytes(token["bytes"]) if isinstance(token.get("bytes"), list) else _bytes(token["token"])


def _share_of_true(token: Any, before: bytes) -> float | None:
    """Return P(true) of a token that holds `before` and then the beginning of the value."""
    mass = {b"true": 0.0, b"false": 0.0}
    before = before.strip().lower()
    # the token itself may be one of its alternatives or not
    told = {_piece(one): min(float(one["logprob"]), 0.0) for one in (*(token.get("top_logprobs") or ()), token)}
    for piece, logprob in told.items():
        head, _, rest = piece.strip().lower().partition(before) if before else (b"", b"", piece.lower())
        for word in mass:
            if not head and (rest := rest.strip()) and (word.startswith(rest) or rest.startswith(word)):
                mass[word] += math.exp(logprob)
    both = mass[b"true"] + mass[b"false"]
    return mass[b"true"] / both if both > 0 else None


def complaint(body: Any, raw: bytes) -> str:
    """Return a server's own words in an error body, to be searched and never shown: they may quote the request."""
    if not isinstance(body, dict):
        return raw[:500].decode("utf-8", "replace")
    error = body.get("error")
    sources = [body, error if isinstance(error, dict) else {"message": error}]
    words = [source.get(key) for source in sources for key in ("message", "detail", "code", "type")]
    return " ".join(word[:1000] for word in words if isinstance(word, str))


def exceeds_context(words: str) -> bool:
    """Tell whether a complaint says that the text is too long for the model."""
    return bool(_CONTEXT_EXCEEDED.search(words))
