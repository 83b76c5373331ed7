"""The section on summaries of the report: Markdown, numbers and ids only, from the published warehouse."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clinical_assets.summaries.evaluation.targets import reached

__all__ = ["section_markdown", "write_section"]

_SHOWN = {
    "compression_tokens_vs_source": "tokens / source",
    "compression_tokens_vs_first_stage": "tokens / stage 1",
    "retention_entities_vs_source": "entities kept",
    "retention_numeric_vs_source": "numeric facts kept",
    "hallucinated_entities": "entities not in the source",
    "hallucinated_numbers": "numbers not in the source",
    "negation_flips": "negations turned",
    "repetition": "repeated 4-grams",
    "bertscore_f1_vs_source": "BERTScore F1, raw",
}
_MOST = 3  # best and worst of each


def section_markdown(connection: Any, figures: Sequence[str] = ()) -> str:
    """Return the section.

    Parameters
    ----------
    connection
        Reads the warehouse (schema summaries).
    figures
        Names of the figures in ``figures/``.
    """
    lines = [
        "# Summaries",
        "",
        "Means over notes with 95 % limits from drawing persons; docs/summaries.md defines each metric.",
    ]
    lines += _targets(connection)
    for title, part in (
        ("What summaries are worth, beside the source's first sentences at the same length", _metrics(connection)),
        ("Do shorter summaries keep less?", _correlations(connection)),
        ("Do summaries depend on what they summarize?", _controls(connection)),
        (
            "Checklist: of the notes that say something of it, how many have all of it in the summary",
            _checklist(connection),
        ),
        ("Best and worst", _extremes(connection)),
    ):
        lines += ["", f"## {title}", "", *(part or ["No summaries yet."])]
    if _has_bertscore(connection) is False:
        lines += ["", "BERTScore was not computed: the study names no encoder (`summaries.bertscore`)."]
    lines += [line for name in figures for line in ("", f"![{name}](figures/{name}.png)")]
    return "\n".join(lines) + "\n"


def write_section(folder: Path, text: str) -> Path:
    """Write the section as ``summaries.md``, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "summaries.md"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def _targets(connection: Any) -> list[str]:
    rows = [
        (
            one.summarizer,
            one.target.metric,
            f"{'at least' if one.target.at_least else 'at most'} {one.target.bound:g}",
            f"{_with_limits(one.value, one.low, one.high)} ({one.target.mean})",
            f"{one.other_mean:.3f}",
            f"{one.n:,}",
            ("met" if one.is_met else "**missed**")
            + ("" if one.target.is_met(one.other_mean) == one.is_met else ", not so by the other mean"),
        )
        for one in reached(connection)
    ]
    return [
        "",
        "## Targets",
        "",
        *(
            _table(("summarizer", "metric", "target", "value", "other mean", "notes", ""), rows)
            or ["No summaries yet."]
        ),
    ]


def _metrics(connection: Any) -> list[str]:
    rows = connection.execute(
        "select metric, summarizer, variant, n_defined, macro, macro_low, macro_high, micro from summaries.metrics "
        "where metric in (select unnest(?::varchar[])) and n_defined > 0 "
        "order by list_position(?::varchar[], metric), summarizer, variant desc",
        [list(_SHOWN), list(_SHOWN)],
    ).fetchall()
    return _table(
        ("metric", "summarizer", "variant", "notes", "mean", "pooled"),
        [(_SHOWN[m], who, v, f"{n:,}", _with_limits(macro, low, high), f"{micro:.3f}") for m, who, v, n, macro, low, high, micro in rows],
    )  # fmt: skip


def _correlations(connection: Any) -> list[str]:
    rows = connection.execute(
        "select summarizer, versus, retention, n, spearman, spearman_low, spearman_high from summaries.compression_retention order by all"
    ).fetchall()
    return _table(
        ("summarizer", "against", "kept", "n", "Spearman"),
        [(*row[:3], f"{row[3]:,}", _with_limits(*row[4:]) if row[4] is not None else "never changes") for row in rows],
    )


def _controls(connection: Any) -> list[str]:
    rows = connection.execute(
        "select summarizer, own, shuffled, difference, difference_low, difference_high, n_compared from summaries.input_dependence "
        "where own is not null order by 1"
    ).fetchall()
    return _table(
        ("summarizer", "ROUGE-2 with own source", "with others'", "difference", "n"),
        [(row[0], f"{row[1]:.3f}", f"{row[2]:.3f}", _with_limits(*row[3:6]), f"{row[6]:,}") for row in rows],
    )


def _checklist(connection: Any) -> list[str]:
    rows = connection.execute(
        "select item, summarizer, count(*), count(*) filter (where is_complete), sum(n_in_summary), sum(n_in_source) "
        "from summaries.checklist group by all order by all"
    ).fetchall()
    return _table(
        ("item", "summarizer", "notes with it", "complete", "facts kept", "facts"),
        [(row[0], row[1], *(f"{int(n):,}" for n in row[2:])) for row in rows],
    )


def _extremes(connection: Any) -> list[str]:
    rows = connection.execute(
        "select summarizer, case when rank_from_worst <= ? then 'worst' else 'best' end, note_id, ratio_to_source, entity_retention, "
        "numeric_retention, n_hallucinated_numbers + n_hallucinated_entities, n_negation_flips from summaries.samples "
        "where rank_from_worst <= ? or rank_from_best <= ? order by summarizer, 2, least(rank_from_worst, rank_from_best)",
        [_MOST] * 3,
    ).fetchall()
    return _table(
        ("summarizer", "", "note_id", "tokens / source", "entities kept", "numeric facts kept", "invented", "turned"),
        [(*row[:3], *(_number(value) for value in row[3:6]), *row[6:]) for row in rows],
    )


def _has_bertscore(connection: Any) -> bool | None:
    n, n_bert = connection.execute(
        "select count(*), count(*) filter (where metric like 'bertscore%') from summaries.metrics"
    ).fetchone()
    return bool(n_bert) if n else None


def _with_limits(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return []
    body = [f"| {' | '.join('' if cell is None else str(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(names)} |", "|" + "---|" * len(names), *body]
