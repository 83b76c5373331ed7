"""Drug-event pairs on public texts that people annotated: which pairs stand out in PHEE and in BC5CDR, and what the measures cost.

    python benchmarks/drug_events_public.py

A report is an article (PubMed id). PHEE (v2, train and dev): the pair is a drug and an effect of an annotated adverse event, words folded;
a report names a drug if any event does. BC5CDR (train and dev): the pair is an annotated chemical-induced-disease relation, by MeSH id;
a report names every chemical annotated in it. Articles were chosen for their side effects, so rates mean nothing outside the corpus.
The measures are compared with scipy, pair by pair. Data: CLINICAL_PUBLIC_DATA.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from clinical_assets.entities.applications.safety import count_pairs, pairs_table
from clinical_assets.labels.folding import fold
from clinical_assets.statistics.disproportionality import disproportionality

DATA = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "ner_re"
Pairs = set[tuple[str, str, str]]
Exposed = set[tuple[str, str]]


def phee() -> tuple[Pairs, Exposed, dict[str, str]]:
    """Return pairs, exposures and names of PHEE."""
    pairs: Pairs = set()
    exposed: Exposed = set()
    for name in ("train", "dev"):
        for line in (DATA / "phee_v2" / f"{name}.json").read_text(encoding="utf-8").splitlines():
            sentence = json.loads(line)
            report = sentence["id"].rsplit("_", 1)[0]
            for event in (event for part in sentence["annotations"] for event in part["events"]):
                drugs = {fold(words[0]) for words in _texts(event.get("Treatment", {}).get("Drug"))}
                exposed |= {(report, drug) for drug in drugs}
                if event["event_type"] == "Adverse_event":
                    effects = {fold(words[0]) for words in _texts(event.get("Effect"))}
                    pairs |= {(report, drug, effect) for drug in drugs for effect in effects}
    return pairs, exposed, {}


def _texts(argument: object) -> Iterator[list[str]]:
    for one in argument if isinstance(argument, list) else [argument] if argument else []:
        yield from (words for words in one["text"] if words)


def bc5cdr() -> tuple[Pairs, Exposed, dict[str, str]]:
    """Return pairs, exposures and the commonest name of each MeSH id of BC5CDR."""
    pairs: Pairs = set()
    exposed: Exposed = set()
    names: dict[str, Counter[str]] = {}
    for name in ("Training", "Development"):
        for line in (DATA / "bc5cdr" / f"CDR_{name}Set.PubTator.txt").read_text(encoding="utf-8").splitlines():
            cells = line.split("\t")
            if len(cells) == 4 and cells[1] == "CID":
                pairs.add((cells[0], cells[2], cells[3]))
            elif len(cells) >= 6 and cells[4] in ("Chemical", "Disease"):
                for code in cells[5].split("|"):
                    names.setdefault(code, Counter())[cells[3].lower()] += 1
                    if cells[4] == "Chemical":
                        exposed.add((cells[0], code))
    return pairs, exposed, {code: found.most_common(1)[0][0] for code, found in names.items()}


def show(corpus: str, pairs: Pairs, exposed: Exposed, names: dict[str, str]) -> pa.Table:
    """Print the pairs of a corpus that stand out most; return all of them."""
    found = pairs_table(count_pairs(pairs, exposed, source=corpus))
    rows = found.to_pylist()
    enough = [row for row in rows if row["a"] >= row["minimum_reports"]]
    flagged = sorted((row for row in enough if row["is_flagged"]), key=lambda row: -row["ic_low"])
    reports = len({report for report, _ in exposed})
    print(
        f"\n{corpus}: {reports:,} reports, {len(rows):,} pairs, {len(enough):,} with 3 reports or more, {len(flagged):,} flagged"
    )
    print("| drug | event | a | b | c | d | PRR (95 %) | ROR (95 %) | IC (IC025) | chi-square |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in flagged[:10]:
        prr, ror = (_limits(row, name) for name in ("prr", "ror"))
        drug, event = (names.get(row[key], row[key]) for key in ("drug_key", "event_key"))
        print(
            f"| {drug} | {event} | {row['a']} | {row['b']} | {row['c']} | {row['d']} | {prr} | {ror} | "
            f"{row['ic']:.2f} ({row['ic_low']:.2f}) | {row['chi_square']:.1f} |"
        )
    return found


def _limits(row: dict[str, float | None], name: str) -> str:
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    return "undefined" if value is None else f"{value:.1f} ({low:.1f} to {high:.1f})"


def compare(found: pa.Table) -> None:
    """Time the measures of all pairs, and those that scipy has pair by pair; print ratio and largest difference."""
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import odds_ratio, relative_risk

    cells = np.stack([found.column(name).to_numpy() for name in "abcd"])
    started = time.perf_counter()
    ours = disproportionality(*cells)
    seconds = time.perf_counter() - started
    kept = np.flatnonzero((cells > 0).all(axis=0))[:2_000]
    started = time.perf_counter()
    worst = 0.0
    for i in kept:
        a, b, c, d = (int(n) for n in cells[:, i])
        risk = relative_risk(a, a + b, c, c + d)
        odds = odds_ratio([[a, b], [c, d]], kind="sample")
        limits, chi = odds.confidence_interval(0.95), chi2_contingency([[a, b], [c, d]]).statistic
        theirs = np.asarray(
            [risk.relative_risk, risk.confidence_interval(0.95).low, odds.statistic, limits.low, limits.high, chi]
        )
        mine = np.asarray(
            [ours.prr[i], ours.prr_low[i], ours.ror[i], ours.ror_low[i], ours.ror_high[i], ours.chi_square[i]]
        )
        worst = max(worst, float(np.max(np.abs(mine - theirs) / np.maximum(np.abs(theirs), 1.0))))
    each = (time.perf_counter() - started) / max(len(kept), 1)
    n = cells.shape[1]
    print(
        f"\n{n:,} pairs: {seconds * 1e3:.1f} ms in all, information component with its exact limits included; scipy pair by pair "
        f"{each * 1e6:.0f} us a pair without it, {each * n / seconds:.0f} x as long; largest relative difference {worst:.1e} "
        f"on {len(kept):,} pairs without an empty cell"
    )


def main() -> None:
    """Run both corpora."""
    show("PHEE", *phee())
    compare(show("BC5CDR", *bc5cdr()))


if __name__ == "__main__":
    main()
