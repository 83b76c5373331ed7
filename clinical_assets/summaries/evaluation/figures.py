"""The figures of the summaries, drawn from the published warehouse: what each shows and withholds is decided here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinical_assets.statistics.label_plots import forest_figure
from clinical_assets.statistics.scatter_plots import ScatterPanel, scatter_figure
from clinical_assets.summaries.evaluation.targets import TARGETS

if TYPE_CHECKING:
    import duckdb

__all__ = ["summary_figures"]

_MOST_POINTS = 2000  # of a panel: more are a cloud
_KINDS = {
    "disease": "diagnoses", "drug": "medications", "procedure": "procedures", "dose": "doses", "lab": "labs",
    "vital": "vitals", "date": "dates", "number": "other numbers", "entities": "all entities", "numeric": "all numeric facts",
    "follow_up": "follow-up",
}  # fmt: skip


def summary_figures(connection: duckdb.DuckDBPyConnection, *, smallest: int) -> dict[str, bytes]:
    """Return name -> PNG: compression against retention (a point per note), retention per kind of fact with limits and floors.

    Figures without data are left out.

    Parameters
    ----------
    connection
        Reads the warehouse (schema summaries).
    smallest
        Summarizers with fewer notes are not drawn, nor kinds that fewer notes have.
    """
    drawn = {
        "summary_compression": _scatter(connection, smallest),
        "summary_retention": _retention(connection, smallest),
    }
    return {name: png for name, png in drawn.items() if png is not None}


def _scatter(connection: duckdb.DuckDBPyConnection, smallest: int) -> bytes | None:
    rows = connection.execute(
        """
        select summarizer, ratio_to_source, entity_retention, lead_entity_retention from summaries.samples
        where entity_retention is not null and not is_flagged
        qualify row_number() over (partition by summarizer order by hash(note_id)) <= ?
            and count(*) over (partition by summarizer) >= ?
        order by summarizer, note_id
        """,
        [_MOST_POINTS, smallest],
    ).fetchall()
    correlations = {
        summarizer: (n, rho, low, high)
        for summarizer, n, rho, low, high in connection.execute(
            "select summarizer, n, spearman, spearman_low, spearman_high from summaries.compression_retention "
            "where versus = 'source' and retention = 'entities'"
        ).fetchall()
    }
    if not rows:
        return None
    panels = {}
    for summarizer in sorted({row[0] for row in rows}):
        n, rho, low, high = correlations.get(summarizer, (0, None, None, None))
        said = f"n = {n:,}"
        if rho is not None:
            said += f", Spearman {rho:.2f}" + (f" ({low:.2f} to {high:.2f})" if low is not None else "")
        mine = [row for row in rows if row[0] == summarizer]
        lead = [(row[1], row[3]) for row in mine if row[3] is not None]
        panels[summarizer] = ScatterPanel([(row[1], row[2]) for row in mine], lead, said)
    least = next(target.bound for target in TARGETS if target.metric == "retention_entities_vs_source")
    return scatter_figure(
        panels,
        title="What summaries leave of a note's length, and of its entities",
        xlabel="Tokens of the summary / tokens of the source",
        ylabel="Share of the source's entities kept",
        name="summary",
        floor="source's first sentences, same length",
        target=(None, least),
        note=f"A point is a note. Dotted: the target of {least} for stage 2. Limits from drawing persons.",
    )


def _retention(connection: duckdb.DuckDBPyConnection, smallest: int) -> bytes | None:
    found = connection.execute(
        "select summarizer, variant, metric, n_defined, macro, macro_low, macro_high from summaries.metrics "
        "where metric like 'retention\\_%\\_vs\\_source' escape '\\' and variant in ('summary', 'lead') order by all"
    ).fetchall()
    by_kind: dict[str, dict[str, Any]] = {}
    n_notes: dict[str, int] = {}
    for summarizer, variant, metric, n, macro, low, high in found:
        kind = metric.removeprefix("retention_").removesuffix("_vs_source")
        name = summarizer if variant == "summary" else f"first sentences, as long as {summarizer}"
        if n >= smallest and macro is not None:
            by_kind.setdefault(kind, {})[name] = (macro, low, high)
            n_notes[kind] = max(n, n_notes.get(kind, 0))
    kinds = [kind for kind in _KINDS if kind in by_kind]
    if not kinds:
        return None
    names = sorted({name for values in by_kind.values() for name in values}, key=lambda name: ("first" in name, name))
    return forest_figure(
        [f"{_KINDS[kind]}\n({n_notes[kind]:,} notes have some)" for kind in kinds],
        {name: [by_kind[kind].get(name) for kind in kinds] for name in names},
        title="What summaries keep of the source's facts",
        xlabel="Mean share kept",
        note="Lines: 95 % limits from drawing persons. A copy of the source keeps everything.",
    )
