"""Names of drugs and conditions in the user's vocabulary, which the tagger is told of: OMOP concepts and landed terminologies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

__all__ = ["vocabulary_names"]

_TYPES_OF_SYSTEMS = {
    "ICD10": "disease", "ICD10CM": "disease", "ICD9CM": "disease", "RxNorm": "chemical",
}  # fmt: skip
_CONCEPTS = """
    select distinct case domain_id when 'Drug' then 'chemical' else 'disease' end, concept_name from omop.concept
    where domain_id = 'Condition' or (domain_id = 'Drug' and concept_class_id in ('Ingredient', 'Precise Ingredient', 'Brand Name'))
    order by all
"""


def vocabulary_names(connection: Any | None, terminology: pa.Table) -> Iterator[tuple[str, str]]:
    """Yield (entity type, name): of ``omop.concept`` through `connection` (None before a warehouse is), of the landed terminologies."""
    if connection is not None:
        yield from connection.execute(_CONCEPTS).fetchall()
    for row in terminology.select(["code_system", "name"]).to_pylist():
        kind = _TYPES_OF_SYSTEMS.get(row["code_system"])
        if kind is not None:
            yield kind, row["name"]
