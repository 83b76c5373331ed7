"""How a column of a contract is written down."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["TIMESTAMP", "column"]

TIMESTAMP = pa.timestamp("us", tz="UTC")


def column(name: str, type_: pa.DataType, comment: str, *, nullable: bool = True) -> pa.Field:
    """Return a field that carries what it means."""
    return pa.field(name, type_, nullable=nullable, metadata={"comment": comment})
