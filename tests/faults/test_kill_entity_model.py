"""A training of the entity model that is killed with SIGKILL and run again gives the model that an undisturbed one gives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.tagger_store import FOLDER, TaggerError
from clinical_assets.storage import failpoints
from tests.unit.entities.tiny_tagger import train


def work(models: Path, failpoint: str = "") -> int:
    """Train in a process of its own (forked: the libraries take longer to import than it trains); return its end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.environ["CLINICAL_FAILPOINT"] = failpoint
            failpoints._visits.clear()
            train(models)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> str:
    return train(tmp_path_factory.mktemp("undisturbed")).digest


# before a stage's file is in place, after the field and the network, before the model is, and before it is promoted
@pytest.mark.parametrize(
    "places",
    [
        ["entity_model.before_stage:1", "entity_model.before_stage:4", "entity_model.after_stage:1"],
        ["entity_model.after_stage:5", "entity_model.before_replace"],
        ["entity_model.before_promotion"],
    ],
)
def test_a_killed_training_run_again_gives_the_same_model(undisturbed: str, tmp_path: Path, places: list[str]) -> None:
    for place in places:
        assert work(tmp_path, place) == -signal.SIGKILL
        with pytest.raises(TaggerError, match="no entity model is trained yet"):
            load_spacy_extractor(tmp_path)
    assert work(tmp_path) == 0
    assert load_spacy_extractor(tmp_path).model_revision == undisturbed
    assert train(tmp_path).told["n_trained"] == 0
    left = [p.name for p in (tmp_path / FOLDER).iterdir() if p.name.startswith(".")]
    assert left == []
