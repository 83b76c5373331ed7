"""Macros and models of dbt_cohort, rendered without dbt: what they say in SQL, for any relation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

DBT = Path(__file__).resolve().parents[1] / "dbt_cohort"
MACROS = [DBT / "macros" / name for name in ("cohort.sql", "risk.sql")]


@lru_cache(maxsize=1)
def _module() -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])
    return environment.from_string("".join(path.read_text(encoding="utf-8") for path in MACROS)).make_module(
        {"ref": lambda name: name, "return": str}
    )


def macro(name: str, *args: Any, **kwargs: Any) -> str:
    """Return the SQL of a macro; refs are plain table names."""
    return str(getattr(_module(), name)(*args, **kwargs))


class _Return(Exception):  # dbt's return() ends a macro with a value
    def __init__(self, value: object) -> None:
        self.value = value


def risk_model(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the SQL of a model of dbt_cohort/models/risk as dbt would; tables are named as the models."""

    def back(value: object) -> None:
        raise _Return(value)

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    known = {
        "ref": lambda table: table, "config": lambda **_: "", "return": back, "param": lambda key: parameters[key],
    }  # fmt: skip
    macros: Any = environment.from_string(MACROS[1].read_text(encoding="utf-8")).make_module(known)

    def tables() -> object:
        try:
            macros.risk_fact_tables()
        except _Return as found:
            return found.value
        raise RuntimeError("risk_fact_tables returned nothing")

    text = (DBT / "models" / "risk" / f"{name}.sql").read_text(encoding="utf-8")
    return environment.from_string(text).render(risk_fact_tables=tables, risk_roles=macros.risk_roles, **known)
