"""The part of materializing everything that asks the prediction question: the quick models, judged; the others are a job of their own."""

from __future__ import annotations

from collections.abc import Callable

from clinical_assets.cli.execution import Execution
from clinical_assets.language_models.catalogue import load_catalogue
from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

__all__ = ["predict_quickly"]

_QUICK = ("rows", "constants", "lasso", "lightgbm")


def predict_quickly(
    execution: Execution, settings: Settings, study: Study, lake: Lake, say: Callable[[str], None]
) -> list[str]:
    """Ask constants, LASSO, LightGBM and the first demo model, and judge them; return what failed. No rows landed is no failure."""
    import dagster as dg

    question = study.prediction
    if question is None or not execution.has("predict"):
        return []
    file = question.source.file
    if file is not None and not (settings.landing / "prediction" / file).is_file():
        say(f"prediction of {question.name}: landing/prediction/{file} has not landed, nothing to ask")
        return []
    demo = [
        entry.labeller for entry in load_catalogue(settings.catalogue).for_task("prediction") if entry.profile == "demo"
    ]
    asked = [*_QUICK, *(demo[:1] if settings.profile == "demo" else [])]
    ok, seconds = execution.run("predict", assets=[dg.AssetKey(["prediction", name]) for name in asked])
    judged, more = execution.run("compare_predictions") if lake.has("prediction/rows") else (False, 0.0)
    if not judged:
        say(f"prediction of {question.name}: FAILED after {seconds + more:.1f} s")
        return [f"prediction of {question.name}"]
    gains = lake.read("prediction/results", columns=["model", "metric", "low"]).to_pylist()
    gains = [row for row in gains if row["metric"] == "accuracy_above_constant"]
    better = [row["model"] for row in gains if row["low"] is not None and row["low"] > 0]
    what = ", ".join(better) if better else "no model"
    say(
        f"prediction of {question.name}: {what} of {len(gains)} beat the commoner answer ({' and '.join(CONSTANTS[:2])}), "
        f"{seconds + more:.1f} s; all models: jobs predict and compare_predictions"
    )
    return [] if ok else [f"models of {question.name}"]
