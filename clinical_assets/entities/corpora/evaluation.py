"""How good extractors are on the landed corpora: rows of entities/extraction_scores and entities/extraction_errors.

Every extractor is judged on the dev and test splits; the names of the same corpus's train split are always beside it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from clinical_assets.entities.corpora.landed import Placed
from clinical_assets.entities.error_kinds import error_kinds
from clinical_assets.entities.extraction import Extractor
from clinical_assets.entities.name_baseline import learn_names
from clinical_assets.entities.scoring import counts_of, overlap_counts, score_sets
from clinical_assets.storage.entity_contracts import ENTITY_TYPES, EXTRACTION_ERRORS, EXTRACTION_SCORES

__all__ = ["JUDGED", "evaluate", "mention_scores"]

Span = tuple[int, int, str]
JUDGED = ("dev", "test")


def evaluate(
    placed: Sequence[Placed], extractors: Iterable[Extractor], log: Callable[[str], None]
) -> tuple[pa.Table, pa.Table]:
    """Return scores and errors of every extractor, and of the baseline, on each corpus's dev and test documents.

    A document about which an extractor knows nothing (too long, say) counts as one in which it found nothing.
    """
    judged: list[Extractor] = list(extractors)
    scores: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    groups: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for one in placed:
        groups[one.corpus, one.split].append(one)
    for (corpus, split), documents in sorted(groups.items()):
        if split not in JUDGED:
            continue
        train = groups.get((corpus, "train"), [])
        baseline = learn_names((p.document.text, _gold(p)) for p in train)
        for extractor in [*judged, baseline]:
            log(f"{corpus} {split}: {len(documents):,} documents by {extractor.name}")
            texts = [p.document.text for p in documents]
            found = [[f[:3] for f in e.found] for e in extractor.extract(texts)]
            named = {
                "corpus": corpus,
                "split": split,
                "extractor": extractor.name,
                "model_revision": extractor.adapter_sha or extractor.model_revision,
            }
            kinds = sorted({kind for p in documents for *_, kind in _gold(p)})
            scores += mention_scores(named, [_gold(p) for p in documents], found, kinds)
            errors += _error_rows(named, documents, found, kinds)
    return (
        pa.Table.from_pylist(scores, schema=EXTRACTION_SCORES),
        pa.Table.from_pylist(errors, schema=EXTRACTION_ERRORS),
    )


def mention_scores(
    named: dict[str, str], gold: Sequence[Sequence[Span]], found: Sequence[Sequence[Span]], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the score rows of one extractor on one split: strict and overlap, micro and per document, by type and of all.

    Parameters
    ----------
    named
        corpus, split, extractor, model_revision.
    kinds
        Types that the corpus annotates: an extractor is not blamed for finding others.
    """
    rows = []
    for kind in (*ENTITY_TYPES, "all"):
        wanted = [k for k in kinds if kind in (k, "all")]
        if not wanted:
            continue
        meant = [{s for s in one if s[2] in wanted} for one in gold]
        said = [{s for s in one if s[2] in wanted} for one in found]
        for matching, count in (("strict", counts_of), ("overlap", overlap_counts)):
            counts = count(meant, said)  # type: ignore[operator]
            rows += [
                {
                    **named,
                    "task": "mentions",
                    "entity_type": kind,
                    "matching": matching,
                    "average": average,
                    **asdict(score_sets(counts, average)),
                }
                for average in ("micro", "document")
            ]
    return rows


def _gold(p: Placed) -> list[Span]:
    return [(m.start, m.end, m.entity_type) for m in p.document.mentions]


def _error_rows(
    named: dict[str, str], documents: Sequence[Placed], found: Sequence[Sequence[Span]], kinds: Sequence[str]
) -> list[dict[str, Any]]:
    total: Counter[tuple[str, str]] = Counter()
    for p, said in zip(documents, found, strict=True):
        codes = {(m.start, m.end, m.entity_type): frozenset(m.codes) for m in p.document.mentions}
        total += error_kinds(p.document.text, _gold(p), [s for s in said if s[2] in kinds], codes)
    said_names = {name: named[name] for name in ("corpus", "split", "extractor")}
    return [{**said_names, "entity_type": kind, "error": error, "n": n} for (kind, error), n in sorted(total.items())]
