"""What the record says of a person strictly before an index date, as text: one dated line a day and name, per domain.

A name is, of these, the first that there is: the standard concept's, the source concept's, that of the source code in the user's
vocabulary or terminology files. A code without any is counted as unmapped and is not in the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from clinical_assets.embeddings.code_systems import DOMAINS, Domain, normal_code_sql, system_sql
from clinical_assets.embeddings.terminology import NO_NAME
from clinical_assets.storage.embedding_contracts import CODE_TEXT

__all__ = ["SEPARATOR", "CohortError", "code_events", "code_text"]

SEPARATOR = " | "  # no name holds it
_ICD10_IN_USE = "2015-10-01"  # in the United States; a code that both have is read as the one in use on its day


class CohortError(ValueError):
    """The table of persons and index dates cannot be used; the message says what is expected."""


def code_events(
    connection: duckdb.DuckDBPyConnection,
    cohort: pa.Table,
    terminology: pa.Table,
    domains: Sequence[Domain] = DOMAINS,
) -> duckdb.DuckDBPyRelation:
    """Return one row a record strictly before its person's index date: person_id, index_date, domain, event_date, name (or null).

    Parameters
    ----------
    connection
        Has the tables of `domains` and ``omop.concept``; temporary tables are made in it.
    cohort
        person_id, index_date; other columns are passed over. A person may have several index dates, each only once.
    terminology
        Contract TERMINOLOGY.

    Raises
    ------
    CohortError
        If a column is missing, or null, or a pair of person and index date stands there twice.
    """
    _check(cohort)
    connection.register("given_cohort", cohort.select(["person_id", "index_date"]))
    connection.register("given_terms", terminology)
    connection.execute(
        "create or replace temp table embed_cohort as select person_id, cast(index_date as date) as index_date from given_cohort"
    )
    connection.execute(f"create or replace temp table embed_events as {' union all '.join(map(_events_sql, domains))}")
    connection.execute(_names_sql(domains))
    connection.unregister("given_cohort")
    connection.unregister("given_terms")
    return connection.sql(
        """
        select events.person_id, events.index_date, events.domain, events.event_date, named.name
        from embed_events as events
        left join embed_names as named on named.domain = events.domain
            and named.concept_id is not distinct from events.concept_id
            and named.source_concept_id is not distinct from events.source_concept_id
            and named.source_value is not distinct from events.source_value
            and named.in_icd10_days = events.in_icd10_days
        """
    )


def code_text(connection: duckdb.DuckDBPyConnection, events: duckdb.DuckDBPyRelation) -> pa.Table:
    """Return the chronologies of :func:`code_events`, contract CODE_TEXT, by person, index date and domain.

    A name that is recorded several times on a day is said once.
    """
    connection.register("embed_given", events)
    line = "'[' || strftime(event_date, '%Y-%m-%d') || '] - ' || name"
    rows = connection.sql(
        f"""
        with days as (
            select person_id, index_date, domain, event_date, name, count(*) as n
            from embed_given group by all
        ),
        persons as (
            select
                person_id, index_date, domain,
                string_agg({line}, '{SEPARATOR}' order by event_date, name) filter (name is not null) as text,
                cast(sum(n) as bigint) as n_records,
                count(name) as n_lines,
                cast(coalesce(sum(n) filter (name is null), 0) as bigint) as n_unmapped,
                min(event_date) as first_date,
                max(event_date) as last_date
            from days group by person_id, index_date, domain
        )
        select person_id, index_date, domain, text, sha256(text) as text_sha256, n_records, n_lines, n_unmapped, first_date, last_date
        from persons order by person_id, index_date, domain
        """
    ).to_arrow_table()
    connection.unregister("embed_given")
    return rows.cast(CODE_TEXT)


def _check(cohort: pa.Table) -> None:
    missing = [name for name in ("person_id", "index_date") if name not in cohort.column_names]
    if missing:
        raise CohortError(
            f"the cohort lacks {', '.join(missing)}; found {', '.join(cohort.column_names)}; expected person_id and index_date"
        )
    nulls = [name for name in ("person_id", "index_date") if cohort.column(name).null_count]
    if nulls:
        raise CohortError(f"the cohort has rows without {', '.join(nulls)}; leave those persons out")
    if (
        cohort.select(["person_id", "index_date"]).group_by(["person_id", "index_date"]).aggregate([]).num_rows
        != cohort.num_rows
    ):
        raise CohortError("the cohort has a person with the same index date twice; keep one row each")


def _events_sql(domain: Domain) -> str:
    return f"""
        select
            fact.person_id, cohort.index_date, '{domain.name}' as domain, cast(fact.{domain.date} as date) as event_date,
            fact.{domain.concept} as concept_id, fact.{domain.source_concept} as source_concept_id,
            cast(fact.{domain.source_value} as varchar) as source_value, fact.{domain.date} >= date '{_ICD10_IN_USE}' as in_icd10_days
        from {domain.table} as fact
        inner join embed_cohort as cohort on cohort.person_id = fact.person_id and cast(fact.{domain.date} as date) < cohort.index_date
    """


def _usable(column: str) -> str:
    words = ", ".join(f"'{word}'" for word in NO_NAME)
    return (
        f"case when lower(trim({column})) not in ({words}) then trim(regexp_replace({column}, '[\\s|]+', ' ', 'g')) end"
    )


def _names_sql(domains: Sequence[Domain]) -> str:
    """Return SQL that names every distinct code once. A source value may say its system itself: ``ICD10CM:M32.9``."""
    rows = ", ".join(
        f"('{domain.name}', '{system}', {rank})" for domain in domains for rank, system in enumerate(domain.systems)
    )
    said = r"regexp_extract(source_value, '^([A-Za-z][A-Za-z0-9 -]{1,11})[:|^](.+)$', 1)"
    code = r"coalesce(nullif(regexp_extract(source_value, '^([A-Za-z][A-Za-z0-9 -]{1,11})[:|^](.+)$', 2), ''), source_value)"
    return f"""
        create or replace temp table embed_names as
        with codes as (
            select distinct domain, concept_id, source_concept_id, source_value, in_icd10_days,
                {system_sql(said)} as said_system, {code} as source_code
            from embed_events
        ),
        systems (domain, code_system, rank) as (values {rows}),
        concepts as (
            -- one name a concept, whatever the vocabulary table holds twice
            select concept_id, min(concept_name) as concept_name from omop.concept
            where concept_id <> 0 and concept_id in (select concept_id from codes union all select source_concept_id from codes)
            group by concept_id
        ),
        terms as (
            -- the user's OMOP vocabulary before the terminology files
            select 0 as place, vocabulary_id as code_system, {normal_code_sql("vocabulary_id", "concept_code")} as code,
                {_usable("concept_name")} as name
            from omop.concept where vocabulary_id in (select code_system from systems)
            union all
            select 1, code_system, code, {_usable("name")} from given_terms
        ),
        asked as (
            select codes.*, systems.code_system, systems.rank, {normal_code_sql("systems.code_system", "codes.source_code")} as code
            from codes inner join systems on systems.domain = codes.domain
                and (codes.said_system is null or codes.said_system = systems.code_system)
            where codes.source_value is not null
        ),
        coded as (
            select asked.domain, asked.source_value, asked.in_icd10_days,
                arg_min(terms.name, (
                    terms.code_system in ('ICD9CM', 'ICD9Proc') = asked.in_icd10_days and terms.code_system like 'ICD%',
                    asked.rank, terms.place
                )) as name
            from (select distinct domain, source_value, in_icd10_days, code_system, rank, code from asked) as asked
            inner join terms on terms.code_system = asked.code_system and terms.code = asked.code
            where terms.name is not null group by all
        )
        select codes.domain, codes.concept_id, codes.source_concept_id, codes.source_value, codes.in_icd10_days,
            coalesce({_usable("standard.concept_name")}, {_usable("source.concept_name")}, coded.name) as name
        from codes
        left join concepts as standard on standard.concept_id = codes.concept_id
        left join concepts as source on source.concept_id = codes.source_concept_id
        left join coded on coded.domain = codes.domain and coded.source_value = codes.source_value
            and coded.in_icd10_days = codes.in_icd10_days
    """
