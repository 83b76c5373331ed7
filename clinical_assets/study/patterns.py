"""The two ways in which a study names what to look for: finite terms, and regexes that cannot hang.

A *term* is text with a little regex-like syntax that stands for a finite list of literals:

    leuka?emia                 optional character
    (myeloid|granulocytic)     alternatives; (in )? optional group
    [- ]?                      one of some characters, here optional
    \\(                        a special character as itself; a full stop needs no backslash

What has no finite list (`*`, `+`, `{`, `^`, `$`) is refused with advice. A *pattern* is a real regular expression, for
the rare thing that terms cannot say: capped in size, checked for constructs that can take exponential time, and run
by the `regex` package under a timeout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["PatternError", "PatternTimeout", "SafePattern", "check_pattern", "compile_pattern", "expand_term"]

MAX_EXPANSIONS = 3_000
MAX_PATTERN_CHARS = 500
MAX_REPEAT = 200
MAX_OPEN_REPEATS = 2
PATTERN_TIMEOUT_SECONDS = 0.5

_SPECIAL = "()[]|?\\*+{}^$"


class PatternError(ValueError):
    """A term or regex of the study that cannot be used; the message says why and how to mend it."""


class PatternTimeout(RuntimeError):
    """A user regex took longer on one note than allowed. Carries the pattern, never the note."""


# --- terms ------------------------------------------------------------------------------------------------------------


class _TermReader:
    """Recursive descent over one term; every method returns the list of literals in regex preference order."""

    def __init__(self, term: str) -> None:
        self.term = term
        self.at = 0

    def fail(self, why: str) -> PatternError:
        return PatternError(f"term {self.term!r}, character {self.at + 1}: {why}")

    def alternatives(self, depth: int) -> list[str]:
        out = self.sequence(depth)
        while self.at < len(self.term) and self.term[self.at] == "|":
            self.at += 1
            out = out + self.sequence(depth)
        return list(dict.fromkeys(out))

    def sequence(self, depth: int) -> list[str]:
        out = [""]
        while self.at < len(self.term) and self.term[self.at] not in "|)":
            part = self.atom(depth)
            if self.at < len(self.term) and self.term[self.at] == "?":
                self.at += 1
                part = [*part, ""]
            out = [left + right for left in out for right in part]
            if len(out) > MAX_EXPANSIONS:
                raise self.fail(f"stands for more than {MAX_EXPANSIONS} literals; split it into several terms")
        if self.at < len(self.term) and self.term[self.at] == ")" and depth == 0:
            raise self.fail("')' without '('; write \\) for the character itself")
        return out

    def atom(self, depth: int) -> list[str]:
        char = self.term[self.at]
        if char == "(":
            self.at += 1
            inner = self.alternatives(depth + 1)
            if self.at >= len(self.term):
                raise self.fail("'(' is never closed")
            self.at += 1
            return inner
        if char == "[":
            end = self.term.find("]", self.at + 1)
            if end <= self.at + 1:
                raise self.fail("'[' is empty or never closed; write \\[ for the character itself")
            chars = self.term[self.at + 1 : end]
            if re.search(r"\w-\w", chars) or chars.startswith("^") or "\\" in chars:
                raise self.fail("only plain characters may stand in [...]; no ranges, no ^, no classes")
            self.at = end + 1
            return list(chars)
        if char == "\\":
            if self.at + 1 >= len(self.term) or self.term[self.at + 1].isalnum():
                raise self.fail("a backslash may only precede a special character; classes such as \\w need patterns:")
            self.at += 2
            return [self.term[self.at - 1]]
        if char in _SPECIAL:
            raise self.fail(f"{char!r} has no finite list of literals; write \\{char} for itself, or use patterns:")
        self.at += 1
        return [char]


@lru_cache(maxsize=4096)
def expand_term(term: str) -> tuple[str, ...]:
    """Return the literals that a term stands for, in regex preference order, without duplicates.

    Raises PatternError where the term is malformed, can be empty, or stands for more than MAX_EXPANSIONS literals.
    """
    out = _TermReader(term).alternatives(0)
    if any(not literal.strip() for literal in out):
        raise PatternError(f"term {term!r} can be empty; make at least one part of it obligatory")
    return tuple(out)


# --- regexes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SafePattern:
    """A compiled user regex. `spans` gives (start, end) of its matches; case-insensitive, Unicode."""

    text: str
    compiled: Any
    timeout: float = PATTERN_TIMEOUT_SECONDS

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the matches in `text`; raises PatternTimeout after `timeout` seconds."""
        try:
            return [match.span() for match in self.compiled.finditer(text, timeout=self.timeout)]
        except TimeoutError:
            # `from None`: the original error must not carry the subject string along
            raise PatternTimeout(f"pattern {self.text!r} took longer than {self.timeout} s on one note") from None


def check_pattern(pattern: str) -> None:
    """Raise PatternError unless the regex compiles, is small, and has no construct that can take exponential time."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"pattern of {len(pattern)} characters; at most {MAX_PATTERN_CHARS} are allowed")
    from re import _parser as parser  # type: ignore[attr-defined]  # the only place that knows a regex's structure

    try:
        tree = parser.parse(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"pattern {pattern!r} does not compile: {error}") from None
    if tree.getwidth()[0] == 0:
        raise PatternError(f"pattern {pattern!r} can match the empty text; make at least one part of it obligatory")
    walk = _Walk(pattern)
    walk.visit(tree, inside_repeat=False)
    if walk.open_repeats > MAX_OPEN_REPEATS:
        raise PatternError(
            f"pattern {pattern!r} has {walk.open_repeats} unlimited repeats, at most {MAX_OPEN_REPEATS} are allowed; "
            "give them a limit, e.g. {0,40}"
        )


class _Walk:
    """Counts and refuses repeats in a parsed regex."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.open_repeats = 0

    def refuse(self, why: str, mend: str) -> PatternError:
        return PatternError(f"pattern {self.pattern!r} is refused: {why}; {mend}")

    def visit(self, tree: Any, inside_repeat: bool) -> None:
        for operation, argument in tree:
            name = str(operation)
            if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
                self._repeat(argument, inside_repeat)
            elif name == "BRANCH":
                if inside_repeat:
                    raise self.refuse(
                        "alternatives inside a repeat can take exponential time", "write the repetition out"
                    )
                for branch in argument[1]:
                    self.visit(branch, inside_repeat)
            elif name == "SUBPATTERN":
                self.visit(argument[3], inside_repeat)
            elif name in {"GROUPREF", "GROUPREF_EXISTS"}:
                raise self.refuse("backreferences can take exponential time", "write the text out")
            elif name in {"ASSERT", "ASSERT_NOT"}:
                self.visit(argument[1], inside_repeat)
            elif name == "ATOMIC_GROUP":
                self.visit(argument, inside_repeat)

    def _repeat(self, argument: Any, inside_repeat: bool) -> None:
        low, high, body = argument
        endless = str(high) == "MAXREPEAT"
        if not endless and int(high) > MAX_REPEAT:
            raise self.refuse(f"a repeat of up to {high}", f"at most {MAX_REPEAT} are allowed")
        if inside_repeat and (endless or int(high) > int(low)):
            raise self.refuse(
                "a repeat inside a repeat, as in (a+)+, can take exponential time", "remove one of the two quantifiers"
            )
        self.open_repeats += endless
        self.visit(body, inside_repeat or endless or int(high) > 1)


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, timeout: float = PATTERN_TIMEOUT_SECONDS) -> SafePattern:
    """Compile a user regex (case-insensitive) after `check_pattern`; its search stops after `timeout` seconds a note."""
    import regex

    check_pattern(pattern)
    try:
        compiled = regex.compile(pattern, regex.IGNORECASE | regex.VERSION0)
    except regex.error as error:
        raise PatternError(f"pattern {pattern!r} does not compile: {error}") from None
    return SafePattern(pattern, compiled, timeout)
