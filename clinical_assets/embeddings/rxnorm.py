"""RxNorm's release files: the name of every concept (RXNCONSO) and the concept of every NDC (RXNSAT).

Columns: RxNorm technical documentation, National Library of Medicine. The published risk design took the first row of a concept,
of whatever source and language; here it is RxNorm's own English name that is not suppressed, by kind of term.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from clinical_assets.embeddings.code_systems import ndc_sql

__all__ = ["CONSO_COLUMNS", "SAT_COLUMNS", "rxnorm_names"]

CONSO_COLUMNS = (
    "RXCUI", "LAT", "TS", "LUI", "STT", "SUI", "ISPREF", "RXAUI", "SAUI", "SCUI", "SDUI", "SAB", "TTY", "CODE", "STR", "SRL",
    "SUPPRESS", "CVF",
)  # fmt: skip
SAT_COLUMNS = (
    "RXCUI", "LUI", "SUI", "RXAUI", "STYPE", "CODE", "ATUI", "SATUI", "ATN", "SAB", "ATV", "SUPPRESS", "CVF",
)  # fmt: skip
# Kinds of term, the most telling name of a drug first.
_KINDS = ("SCD", "SBD", "GPCK", "BPCK", "SCDC", "SCDF", "SBDF", "IN", "PIN", "MIN", "BN", "DF", "PSN", "SY", "TMSY")


def rxnorm_names(conso: Path, sat: Path) -> pa.Table:
    """Return code_system (RxNorm | NDC), code, name, source.

    Raises
    ------
    ValueError
        If a file has another number of columns than RxNorm's; it names the file.
    """
    with duckdb.connect() as connection:
        for name, path, columns in (("conso", conso, CONSO_COLUMNS), ("sat", sat, SAT_COLUMNS)):
            # RRF lines end with the delimiter, so that one more, empty, column is read
            fields = ", ".join(f"'{column}': 'varchar'" for column in (*columns, "_end"))
            try:
                connection.execute(
                    f"create view {name} as select * from read_csv(?, delim = '|', header = false, quote = '', escape = '', "
                    f"auto_detect = false, columns = {{{fields}}})".replace(
                        "?", "'" + str(path).replace("'", "''") + "'"
                    )
                )
                connection.execute(f"select count(*), max(RXCUI) from {name}").fetchall()
            except duckdb.Error:
                raise ValueError(
                    f"{path}: expected RxNorm's {len(columns)} columns, each ended by |, as in a full release"
                ) from None
        kinds = "[" + ", ".join(f"'{kind}'" for kind in _KINDS) + "]"
        connection.execute(
            f"""
            create table names as
            select RXCUI as code, arg_min(STR, (
                SAB <> 'RXNORM', coalesce(SUPPRESS, 'N') <> 'N', coalesce(list_position({kinds}, TTY), 99), RXAUI
            )) as name
            from conso where coalesce(nullif(LAT, ''), 'ENG') = 'ENG' group by RXCUI
            """
        )
        return connection.sql(
            f"""
            select 'RxNorm' as code_system, code, name, 'RXNCONSO.RRF' as source from names
            union all
            -- an NDC may have moved: the row that is not suppressed, then the latest concept
            select 'NDC', ndc, arg_min(names.name, (coalesce(SUPPRESS, 'N') <> 'N', -try_cast(RXCUI as bigint))), 'RXNSAT.RRF'
            from (select *, {ndc_sql("ATV")} as ndc from sat where ATN = 'NDC') inner join names on names.code = RXCUI
            where ndc is not null group by ndc
            order by all
            """
        ).to_arrow_table()
