"""All metrics of a summary in one row, and of many summaries with intervals.

Each metric is defined where it is computed: text_metrics (compression, repetition), fact_metrics (retention, hallucination,
negation flips), rouge, bertscore, controls (lead, copy, shuffled sources). Here they get their names and are aggregated.

Two means are given of each. Macro: the mean over summaries for which the metric is defined. Micro: the sum of numerators over
the sum of denominators, in which one odd short text cannot dominate. For scores that are no quotients of counts both are the
same. The standard deviation is always that of a sample (n - 1). Intervals draw persons (statistics.bootstrap).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, replicate_sums
from clinical_assets.summaries.controls import lead_end
from clinical_assets.summaries.fact_metrics import facts_within, hallucination, negation_flips, retention
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.ratios import UNDEFINED, Ratio, plain_value
from clinical_assets.summaries.rouge import ROUGE_KINDS, Words, rouge
from clinical_assets.summaries.text_metrics import SHORT_TOKENS, compression, count_tokens, repetition

__all__ = [
    "Aggregate",
    "SummaryRow",
    "aggregate",
    "aggregate_arrays",
    "copy_baseline",
    "lead_baseline",
    "row_metrics",
    "score_rows",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SummaryRow:
    """One summary and what it is measured against, facts already extracted (each text once).

    Attributes
    ----------
    person
        Whose it is; rows of one person are drawn together.
    source, source_facts
        What was summarized.
    summary, summary_facts
        What is measured.
    first_stage, first_stage_facts
        The longer summary that this one shortens; None for a summary of the source itself.
    reference
        A summary written by somebody else, for ROUGE; None if there is none (ROUGE is then undefined).
    """

    person: str
    source: str
    source_facts: Sequence[Fact]
    summary: str
    summary_facts: Sequence[Fact]
    first_stage: str | None = None
    first_stage_facts: Sequence[Fact] | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if (self.first_stage is None) != (self.first_stage_facts is None):
            raise ValueError(
                "first_stage and first_stage_facts belong together; give both (a list may be empty) or neither"
            )


@dataclass(frozen=True)
class Aggregate:
    """One metric over many summaries.

    Attributes
    ----------
    metric
        Its name.
    n_rows, n_defined, n_flagged
        Summaries; those for which it is defined and in the means; those left out because they are flagged (see `Ratio`).
    macro, macro_low, macro_high
        Mean over summaries, with limits; nan where undefined. Limits need two persons.
    std, minimum, maximum
        Of the values over summaries; std is that of a sample (n - 1), nan below two values.
    micro, micro_low, micro_high
        Sum of numerators over sum of denominators, with limits.
    """

    metric: str
    n_rows: int
    n_defined: int
    n_flagged: int
    macro: float
    macro_low: float
    macro_high: float
    std: float
    minimum: float
    maximum: float
    micro: float
    micro_low: float
    micro_high: float


def row_metrics(
    row: SummaryRow, *, shortest: int = SHORT_TOKENS, words: dict[str, Words] | None = None
) -> dict[str, Ratio]:
    """Return every metric of one summary, by name; the names are the same for every row.

    Names: compression_{tokens|characters}_vs_{source|first_stage}, retention_<kind|entities|numeric>_vs_{source|first_stage},
    hallucinated_{entities|numbers}, negation_flips, repetition, {rouge1|rouge2|rougeL}_{precision|recall|f1}.

    Parameters
    ----------
    shortest
        Tokens below which a first stage or source is too short for its compression to count.
    words
        Texts already taken apart for ROUGE; filled by this call.
    """
    found: dict[str, Ratio] = {}
    against = {"source": (row.source, row.source_facts), "first_stage": (row.first_stage, row.first_stage_facts)}
    for name, (text, facts) in against.items():
        if text is None or facts is None:
            found |= dict.fromkeys((f"compression_{unit}_vs_{name}" for unit in ("tokens", "characters")), UNDEFINED)
            found |= {f"retention_{kind}_vs_{name}": UNDEFINED for kind in retention((), ())}
            continue
        for unit, ratio in compression(row.summary, text, shortest=shortest).items():
            found[f"compression_{unit}_vs_{name}"] = ratio
        for kind, ratio in retention(facts, row.summary_facts).items():
            found[f"retention_{kind}_vs_{name}"] = ratio
    for kind, ratio in hallucination(row.source_facts, row.summary_facts).items():
        found[f"hallucinated_{kind}"] = ratio
    found["negation_flips"] = negation_flips(row.source_facts, row.summary_facts)
    found["repetition"] = repetition(row.summary)
    return found | _rouge_columns(row, {} if words is None else words)


def score_rows(rows: Sequence[SummaryRow], *, shortest: int = SHORT_TOKENS) -> list[dict[str, Ratio]]:
    """Return `row_metrics` of each row."""
    words: dict[str, Words] = {}
    return [row_metrics(row, shortest=shortest, words=words) for row in rows]


def lead_baseline(row: SummaryRow) -> SummaryRow:
    """Return the row with the first sentences of its source in place of the summary, as long as the summary (`lead_end`)."""
    end = lead_end(row.source, count_tokens(row.summary))
    return replace(row, summary=row.source[:end].strip(), summary_facts=facts_within(row.source_facts, end))


def copy_baseline(row: SummaryRow) -> SummaryRow:
    """Return the row with its whole source in place of the summary: retention 1 where defined, compression 1."""
    return replace(row, summary=row.source, summary_facts=row.source_facts)


def aggregate(
    scores: Sequence[Mapping[str, Ratio]],
    persons: Sequence[str],
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Aggregate]:
    """Return each metric over all rows, with limits from drawing persons.

    Parameters
    ----------
    scores
        Metrics of each row, by name; the same names in every row.
    persons
        Whose each row is.
    n_replicates, seed, level
        Replicates, seed and level of the intervals; all metrics share the draws.

    Raises
    ------
    ValueError
        If there are no rows, not one person per row, or rows have different metrics.
    """
    if not scores or len(scores) != len(persons):
        raise ValueError(
            f"{len(scores)} rows and {len(persons)} persons; expected one person per row, at least one row"
        )
    names = list(scores[0])
    odd = next((i for i, row in enumerate(scores) if row.keys() != scores[0].keys()), None)
    if odd is not None:
        differ = sorted(scores[odd].keys() ^ scores[0].keys())
        raise ValueError(
            f"row {odd} has other metrics than row 0: {', '.join(differ)}; give every row every metric, UNDEFINED where undefined"
        )
    table = np.array([[(row[k].numerator, row[k].denominator, row[k].flagged) for k in names] for row in scores])
    top, bottom, flagged = np.moveaxis(table.reshape(len(scores), len(names), 3), -1, 0)
    given = {"n_replicates": n_replicates, "seed": seed}
    return aggregate_arrays(names, top, bottom, flagged != 0, persons, level=level, **given)


def aggregate_arrays(
    names: Sequence[str],
    numerators: Floats,
    denominators: Floats,
    flagged: npt.NDArray[np.bool_],
    persons: Sequence[str],
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Aggregate]:
    """Return `aggregate` of scores that are arrays already.

    Parameters
    ----------
    names
        Metrics, one per column.
    numerators, denominators, flagged
        Shape (n, len(names)); a denominator of 0 is undefined.
    persons, n_replicates, seed, level
        As for `aggregate`.
    """
    counted = (denominators > 0) & ~flagged
    values = np.divide(numerators, denominators, out=np.zeros(numerators.shape), where=counted)
    parts = (
        values,
        counted.astype(np.float64),
        np.where(counted, numerators, 0.0),
        np.where(counted, denominators, 0.0),
    )
    people = np.asarray([str(person) for person in persons])
    sums = replicate_sums(people, np.hstack(parts), n_replicates=n_replicates, seed=seed)
    sums = np.vstack([np.hstack(parts).sum(axis=0), sums])  # the estimate is row 0
    total, n, over, under = np.split(sums, 4, axis=1)
    macro, micro = _quotients(total, n), _quotients(over, under)
    found = {}
    for j, name in enumerate(names):
        mine = values[counted[:, j], j]
        few = np.unique(people[counted[:, j]]).size < 2
        none = (float("nan"), float("nan"))
        found[name] = Aggregate(
            name,
            len(people),
            int(mine.size),
            int(flagged[:, j].sum()),
            float(macro[0, j]),
            *(none if few else interval(macro[1:, j], level)),
            float(mine.std(ddof=1)) if mine.size > 1 else float("nan"),
            float(mine.min()) if mine.size else float("nan"),
            float(mine.max()) if mine.size else float("nan"),
            float(micro[0, j]),
            *(none if few else interval(micro[1:, j], level)),
        )
    return found


def _rouge_columns(row: SummaryRow, words: dict[str, Words]) -> dict[str, Ratio]:
    if row.reference is None:
        return {f"{kind}_{part}": UNDEFINED for kind in ROUGE_KINDS for part in ("precision", "recall", "f1")}
    for text in (row.summary, row.reference):
        if text not in words:
            words[text] = Words(text)
    found = {}
    for kind, scores in rouge(words[row.summary], words[row.reference]).items():
        for part in ("precision", "recall", "f1"):
            found[f"{kind}_{part}"] = plain_value(getattr(scores, part))
    return found


def _quotients(a: Floats, b: Floats) -> Floats:
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0)
