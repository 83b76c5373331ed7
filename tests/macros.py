"""The cohort macros of dbt_cohort, rendered without dbt: what the models say in SQL, for any relation."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

MACROS = [Path(__file__).resolve().parents[1] / "dbt_cohort" / "macros" / name for name in ("cohort.sql", "risk.sql")]


@lru_cache(maxsize=1)
def _module() -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])
    return environment.from_string("".join(path.read_text(encoding="utf-8") for path in MACROS)).make_module(
        {"ref": lambda name: name, "return": str}
    )


def macro(name: str, *args: Any, **kwargs: Any) -> str:
    """Return the SQL of a macro; refs are plain table names."""
    return str(getattr(_module(), name)(*args, **kwargs))
