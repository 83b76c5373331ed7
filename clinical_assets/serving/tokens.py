"""Who may call: named bearer tokens, from the environment or from a file that only its owner can read."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.serving.models import TASKS
from clinical_assets.serving.settings import ServingSettings

__all__ = ["Caller", "Tokens", "load_tokens"]

_SHORTEST = 32
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{32,512}\Z")  # what a bearer token may be made of (RFC 6750)
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,80}\Z")
_HOW = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"


@dataclass(frozen=True)
class Caller:
    """Whose token it is and what they may ask for."""

    name: str
    tasks: frozenset[str]


class Tokens:
    """Named tokens, kept as digests."""

    def __init__(self, tokens: Collection[tuple[Caller, str]]) -> None:
        self._known = [(hashlib.sha256(token.encode()).digest(), caller) for caller, token in tokens]

    def caller(self, presented: bytes) -> Caller | None:
        """Return whose token this is; None for nobody's. The time does not depend on which token it is nearest to."""
        digest = hashlib.sha256(presented).digest()
        found = None
        for known, caller in self._known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found

    def __len__(self) -> int:
        return len(self._known)


def load_tokens(settings: ServingSettings) -> Tokens:
    """Return the tokens of a deployment.

    Raises
    ------
    ValueError
        If there is none, one is too weak or given twice, or the file can be read by others. Names lines, never tokens.
    OSError
        If the file cannot be read.
    """
    found: list[tuple[Caller, str]] = []
    if settings.token is not None:
        token = settings.token.get_secret_value()
        _check(token, "CLINICAL_SERVE_TOKEN")
        found.append((Caller("default", frozenset(TASKS)), token))
    if settings.tokens_file is not None:
        found.extend(_read(settings.tokens_file))
    if not found:
        raise ValueError(f"no token: set CLINICAL_SERVE_TOKEN or CLINICAL_SERVE_TOKENS_FILE; {_HOW}")
    for what, values in (("name", [c.name for c, _ in found]), ("token", [t for _, t in found])):
        if len(set(values)) != len(values):
            raise ValueError(f"tokens: a {what} is given twice; every caller needs their own")
    return Tokens(found)


def _read(path: Path) -> Iterator[tuple[Caller, str]]:
    with open(path, encoding="utf-8") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            raise ValueError(f"{path}: others can read it (mode {mode & 0o777:o}); chmod 600 it and replace its tokens")
        lines = file.read().splitlines()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(words) not in {2, 3} or not _NAME.match(words[0]):
            raise ValueError(f"{where}: expected `name token [tasks]`, e.g. `ward-7 <token> labels,summaries`")
        _check(words[1], where)
        tasks = frozenset(words[2].split(",")) if len(words) == 3 else frozenset(TASKS)
        if not tasks <= set(TASKS):
            raise ValueError(f"{where}: tasks are {', '.join(TASKS)}, separated by commas without blanks")
        yield Caller(words[0], tasks), words[1]


def _check(token: str, where: str) -> None:
    if not _TOKEN.match(token):
        raise ValueError(f"{where}: a token has {_SHORTEST} to 512 letters, digits or . _ ~ + / = -; {_HOW}")
