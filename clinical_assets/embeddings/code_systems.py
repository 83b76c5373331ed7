"""Code systems: their names, how a code of each is written, and which of them a domain uses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ALIASES", "DOMAINS", "Domain", "ndc_sql", "normal_code_sql", "system_sql"]


@dataclass(frozen=True)
class Domain:
    """A fact table: where its facts are, the names of its columns, and the code systems its source values may be in."""

    name: str
    table: str
    date: str
    concept: str
    source_concept: str
    source_value: str
    systems: tuple[str, ...]


DOMAINS = (
    Domain(
        "condition", "omop.condition_occurrence", "condition_start_date", "condition_concept_id", "condition_source_concept_id",
        "condition_source_value", ("ICD10CM", "ICD9CM", "ICD10", "SNOMED"),
    ),
    Domain(
        "procedure", "omop.procedure_occurrence", "procedure_date", "procedure_concept_id", "procedure_source_concept_id",
        "procedure_source_value", ("CPT4", "HCPCS", "ICD10PCS", "ICD9Proc", "SNOMED"),
    ),
    Domain(
        "drug", "omop.drug_exposure", "drug_exposure_start_date", "drug_concept_id", "drug_source_concept_id", "drug_source_value",
        ("NDC", "RxNorm"),
    ),
)  # fmt: skip

# What a code system is called in files, in capitals without signs -> OMOP's vocabulary_id.
ALIASES = {
    "ICD9": "ICD9CM", "ICD9CM": "ICD9CM", "ICD9DIAGNOSIS": "ICD9CM", "ICD10CM": "ICD10CM", "ICD10": "ICD10",
    "ICD9PROC": "ICD9Proc", "ICD9PCS": "ICD9Proc", "ICD9CMPROC": "ICD9Proc", "ICD10PCS": "ICD10PCS", "CPT": "CPT4", "CPT4": "CPT4",
    "HCPCS": "HCPCS", "NDC": "NDC", "RXNORM": "RxNorm", "SNOMED": "SNOMED", "SNOMEDCT": "SNOMED",
}  # fmt: skip


def system_sql(column: str) -> str:
    """Return SQL that gives a code system its name in OMOP; null where it is not known."""
    key = f"regexp_replace(upper({column}), '[^A-Z0-9]', '', 'g')"
    cases = " ".join(f"when '{alias}' then '{name}'" for alias, name in ALIASES.items())
    return f"case {key} {cases} end"


def ndc_sql(column: str) -> str:
    """Return SQL that writes an NDC as 11 digits (5-4-2); null where it cannot be told how: ten digits without hyphens."""
    parts = f"string_split({column}, '-')"
    padded = " || ".join(f"lpad({parts}[{i}], {n}, '0')" for i, n in ((1, 5), (2, 4), (3, 2)))
    return (
        f"case when regexp_full_match({column}, '[0-9]{{11}}') then {column} "
        f"when regexp_full_match({column}, '[0-9]{{4,5}}-[0-9]{{3,4}}-[0-9]{{1,2}}') then {padded} end"
    )


def normal_code_sql(system: str, column: str) -> str:
    """Return SQL that writes a code as terminology tables here do: capitals, no dots; an NDC as 11 digits."""
    trimmed = f"trim({column})"
    # RxNorm ids are numbers, which tools may have written as 1049630.0
    rxnorm = f"regexp_replace(regexp_replace({trimmed}, '[.]0*$', ''), '^0+', '')"
    plain = f"replace(upper({trimmed}), '.', '')"
    return f"case {system} when 'NDC' then {ndc_sql(trimmed)} when 'RxNorm' then {rxnorm} else {plain} end"
