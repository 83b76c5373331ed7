"""LightGBM's settings for tables of hundreds of rows, compared on simulated tables: where the defaults of clinical_assets.prediction come from.

    python benchmarks/lightgbm_small_tables.py [--tables 16]

Each table: 400 rows to learn from and 4,000 to judge, 12 yes/no and 12 continuous columns, of which eight carry weight. `rare`: about 13 %
yes; `interactions`: products and a fold beside the weights; `strong`: weights twice as large. Prints the mean AUROC of each setting. No
real table has a part in it.
"""

from __future__ import annotations

import argparse
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.roc import auroc

COMMON: dict[str, Any] = {
    "objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 42, "learning_rate": 0.05,
    "min_child_samples": 15,
}  # fmt: skip
BAGS = {"bagging_fraction": 0.6, "bagging_freq": 1}
SETTINGS: dict[str, tuple[dict[str, Any], int]] = {
    "before: 7 leaves": ({"num_leaves": 7, "colsample_bytree": 0.7}, 80),
    "2 leaves": ({"num_leaves": 2, "colsample_bytree": 0.7}, 100),
    "2 leaves, longer": ({"num_leaves": 2, "colsample_bytree": 0.7}, 200),
    "2 leaves, L2": ({"num_leaves": 2, "colsample_bytree": 0.5, "lambda_l2": 10}, 300),
    "2 leaves, L2, bags": ({"num_leaves": 2, "colsample_bytree": 0.4, "lambda_l2": 10, **BAGS}, 150),
    "2 leaves, more L2, bags": ({"num_leaves": 2, "colsample_bytree": 0.3, "lambda_l2": 20, "min_child_samples": 30, **BAGS}, 200),
    "4 leaves, L2": ({"num_leaves": 4, "colsample_bytree": 0.5, "lambda_l2": 5}, 80),
    "4 leaves, L2, bags": ({"num_leaves": 4, "colsample_bytree": 0.4, "lambda_l2": 10, **BAGS}, 80),
    "7 leaves, L2, bags": ({"num_leaves": 7, "colsample_bytree": 0.4, "lambda_l2": 10, "min_child_samples": 30, **BAGS}, 80),
    "4 leaves, L2, random thresholds": ({"num_leaves": 4, "colsample_bytree": 0.5, "lambda_l2": 10, "extra_trees": True}, 150),
}  # fmt: skip
KINDS = {
    "rare": (-2.3, 1.0, 4),
    "interactions": (-1.0, 1.0, 5),
    "strong": (-0.3, 2.0, 6),
}  # intercept, factor, part of the seed


def simulated(
    kind: str, seed: int, n: int = 400, n_judged: int = 4_000, half: int = 12
) -> tuple[npt.NDArray[Any], ...]:
    """Return features and answers to learn from, and to judge."""
    intercept, factor, part = KINDS[kind]
    chance, total = np.random.default_rng([seed, part]), n + n_judged
    flags = chance.random((total, half)) < chance.uniform(0.1, 0.6, half)
    numbers = chance.normal(size=(total, half))
    x = np.hstack([flags.astype(float), numbers])
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    weights = np.zeros(2 * half)
    places = chance.permutation(2 * half)[:8]
    weights[places] = chance.normal(0, 0.5, 8)
    odds = factor * (scaled @ weights)
    if kind == "interactions":
        for _ in range(6):
            i, j = chance.permutation(2 * half)[:2]
            odds += chance.normal(0, 0.6) * scaled[:, i] * scaled[:, j]
        odds += 0.5 * (np.abs(numbers[:, 0]) - 0.8)
    y = (chance.random(total) < 1 / (1 + np.exp(-(intercept + odds)))).astype(int)
    return x[:n], y[:n], x[n:], y[n:]


def area(settings: dict[str, Any], rounds: int, tables: tuple[npt.NDArray[Any], ...]) -> float:
    """Return the AUROC on the rows to judge; answers are weighted to be equally many."""
    x, y, other, truth = tables
    weight = np.where(y == 1, y.size / (2 * y.sum()), y.size / (2 * (y.size - y.sum())))
    data = lightgbm.Dataset(x, y, weight=weight, params={"verbosity": -1})
    fitted = lightgbm.train({**COMMON, **settings}, data, rounds)
    return float(auroc(truth, np.asarray(fitted.predict(other))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=16)
    given = parser.parse_args()
    print("| setting | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for name, (settings, rounds) in SETTINGS.items():
        means = [np.mean([area(settings, rounds, simulated(kind, s)) for s in range(given.tables)]) for kind in KINDS]
        print(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |", flush=True)


if __name__ == "__main__":
    main()
