"""Mentions of a batch: what a row says, what is kept, what an interruption costs, and that a failure is never "nothing found"."""

from __future__ import annotations

from typing import Any

import pytest

from clinical_assets.entities import batch as batch_module
from clinical_assets.entities.choice import ExtractorError
from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.entities.verdicts import Cover, note_cover, span_faults
from clinical_assets.entities.windows import ExtractionError
from clinical_assets.language_models.loading import ModelError
from clinical_assets.privacy import StepError
from clinical_assets.storage.entity_contracts import ENTITY_NOTES, MENTIONS
from tests.unit.entities.conftest import Bench, Scripted, names_of

CML = "HPI: chronic leukemia (CML) on imatinib. Denies nausea.\nFamily History: leukemia.\nPlan: continue Gleevec. CML is stable."
NONE = "HPI: Blood pressure is controlled. See again in six months."


def test_a_row_says_where_what_and_how_it_is_meant(bench: Bench) -> None:
    bench.land(CML, NONE)
    run = bench.run(Scripted())
    rows = bench.rows()
    assert bench.lake.read("entities/mentions", "b").schema.equals(MENTIONS, check_metadata=False)
    assert bench.lake.read("entities/notes", "b").schema.equals(ENTITY_NOTES, check_metadata=False)
    assert all(CML[row["start"] : row["end"]] == row["text"] for row in rows)
    assert [row["mention_index"] for row in rows] == list(range(len(rows)))
    told = {(row["text"], row["start"]): row for row in rows}
    nausea = told["nausea", CML.index("nausea")]
    assert (nausea["assertion"], nausea["reason"], nausea["concept_id"]) == ("negated", "pre_negated:denies", 31967)
    family = told["leukemia", CML.rindex("leukemia")]
    assert (family["assertion"], family["section"]) == ("family", "family_history")
    brand = told["Gleevec", CML.index("Gleevec")]
    assert (brand["normalised"], brand["concept_id"], brand["vocabulary_id"]) == ("imatinib", 1304107, "RxNorm")
    assert (brand["entity_key"], brand["link_score"], brand["confidence"]) == ("concept:1304107", 1.0, 0.5)
    assert {row["linker_sha"] for row in rows} != {""}
    assert (run.n_computed, run.n_cached, run.by_status) == (2, 0, {"extracted": 2})
    assert {row["note_id"]: row["n_mentions"] for row in bench.rows("notes")} == {1: len(rows), 2: 0}


def test_an_abbreviation_is_what_the_note_says_it_is(bench: Bench) -> None:
    bench.land("Chronic obstructive asthma (COA) was found. COA is treated.", "COA is treated.")
    bench.run(Scripted({"disease": "COA|Chronic obstructive asthma"}), names=names_of({}, {}))
    rows = bench.rows()
    normal = [(row["note_id"], row["text"], row["normalised"], row["is_abbreviation"]) for row in rows]
    assert normal == [
        (1, "Chronic obstructive asthma", "chronic obstructive asthma", False),
        (1, "COA", "chronic obstructive asthma", True),
        (1, "COA", "chronic obstructive asthma", True),
        (2, "COA", "coa", False),
    ]
    keys = [row["entity_key"] for row in rows]
    assert len({*keys[:3]}) == 1
    assert keys[3] != keys[0]
    assert {(row["concept_id"], row["linker_sha"]) for row in rows} == {(None, "")}
    assert all("asthma" not in key for key in keys)


def test_every_note_in_scope_has_a_row_and_no_failure_counts_as_nothing_found(bench: Bench) -> None:
    bench.land(CML, "  ", "parse_error " + CML, CML * 3, NONE, status={2: "blank"})

    def says(text: str, said: Extraction) -> Extraction:
        return said._replace(status="parse_error") if text.startswith("parse_error") else said

    run = bench.run(Scripted(says=says), scope=[1, 2, 3, 4], most_chars=len(CML) * 2)
    assert bench.statuses() == {1: "extracted", 2: "no_text", 3: "parse_error", 4: "too_long"}
    assert run.by_status == {"extracted": 1, "no_text": 1, "parse_error": 1, "too_long": 1}
    counts = {row["note_id"]: row["n_mentions"] for row in bench.rows("notes")}
    assert counts[1] == len(bench.rows())
    assert {counts[k] for k in (2, 3, 4)} == {None}
    assert {row["note_id"] for row in bench.rows()} == {1}


def test_all_means_every_usable_note(bench: Bench) -> None:
    bench.land(CML, "x", NONE, status={2: "stub"})
    bench.run(Scripted(), scope=None)
    assert bench.statuses() == {1: "extracted", 3: "extracted"}


def test_influences_are_kept_with_their_mentions_also_over_a_failure(bench: Bench) -> None:
    bench.land(CML, "third nausea")
    away: list[str] = []

    def says(text: str, said: Extraction) -> Extraction:
        if text.startswith("third") and not away:
            away.append(text)
            raise ModelError("the server is away")
        start = said.found[0].start
        told = [
            one._replace(part=0, influences=(start,) if one.entity_type == "chemical" else None) for one in said.found
        ]
        return said._replace(found=tuple(told))

    with pytest.raises(ModelError):
        bench.run(Scripted(says=says))
    other = Scripted(says=says)
    run = bench.run(other)
    assert (other.asked, run.n_cached) == (["third nausea"], 1)
    rows = [row for row in bench.rows() if row["note_id"] == 1]
    first = min(row["start"] for row in rows)
    assert {row["part"] for row in rows} == {0}
    assert {(row["entity_type"], str(row["influences"])) for row in rows} == {
        ("chemical", str([first])),
        ("disease", "None"),
    }
    assert (bench.run(other).n_computed, len(other.asked)) == (0, 1)


def test_an_unchanged_batch_opens_nobody(bench: Bench) -> None:
    bench.land(CML, NONE)
    first = bench.run(Scripted())
    again = Scripted()
    run = bench.run(again)
    assert (again.n_opened, run.n_computed, run.n_cached) == (0, 0, 2)
    assert (run.mentions.digest, run.notes.digest) == (first.mentions.digest, first.notes.digest)
    assert {row["run_id"] for row in bench.lake.read("entities/mentions", "b").to_pylist()} == {"run 1"}


def test_what_changed_is_extracted_again_and_no_more(bench: Bench) -> None:
    bench.land(CML, NONE)
    bench.run(Scripted())
    bench.land(CML, NONE + " Has nausea.")
    other = Scripted()
    run = bench.run(other)
    assert (other.asked, run.n_cached) == ([NONE + " Has nausea."], 1)
    runs = {row["note_id"]: row["run_id"] for row in bench.lake.read("entities/mentions", "b").to_pylist()}
    assert runs == {1: "run 1", 2: "run 2"}
    newer = Scripted(revision="2")
    bench.run(newer)
    assert len(newer.asked) == 2
    assert {row["model_revision"] for row in bench.rows()} == {"2"}


def test_another_vocabulary_needs_no_extractor(bench: Bench) -> None:
    bench.land(CML)
    bench.run(Scripted())
    other = Scripted()
    run = bench.run(other, names=names_of({7: "Nausea"}, {}))
    assert (other.n_opened, run.n_cached) == (0, 1)
    assert {row["concept_id"] for row in bench.rows()} == {7, None}
    bench.run(other, names=names_of({}, {}))
    assert (other.n_opened, {row["concept_id"] for row in bench.rows()}) == (0, {None})


def test_notes_that_left_the_scope_leave_the_tables(bench: Bench) -> None:
    bench.land(CML, CML)
    bench.run(Scripted(), scope=[1, 2])
    other = Scripted()
    bench.run(other, scope=[2])
    assert (other.n_opened, set(bench.statuses()), {row["note_id"] for row in bench.rows()}) == (0, {2}, {2})


def test_what_was_extracted_before_a_failure_is_put_by(bench: Bench) -> None:
    bench.land(CML, NONE, "third nausea")

    def fails(text: str, said: Extraction) -> Extraction:
        if text.startswith("third"):
            raise ModelError("the server is away")
        return said

    with pytest.raises(ModelError, match="away"):
        bench.run(Scripted(says=fails))
    assert not bench.lake.has("entities/mentions", "b")
    other = Scripted()
    run = bench.run(other)
    assert (other.asked, run.n_cached, run.n_computed) == (["third nausea"], 2, 1)
    assert not bench.lake.has("entities_put_by/notes", "b")
    fresh = Bench(bench.lake, bench.models)
    whole = bench.rows()
    bench.lake.remove("entities/mentions", "b")
    fresh.run(Scripted())
    assert fresh.rows() == whole


def test_answers_are_put_by_as_time_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "_PUT_BY_SECONDS", 0.0)
    bench.land(CML, CML, NONE)
    bench.run(Scripted())
    whole = bench.rows()
    monkeypatch.undo()
    bench.lake.remove("entities/mentions", "b")
    bench.run(Scripted())
    assert bench.rows() == whole


def test_tables_that_disagree_are_not_believed(bench: Bench) -> None:
    bench.land(CML, NONE)
    bench.run(Scripted())
    mentions = bench.lake.read("entities/mentions", "b")
    whole = bench.rows()
    bench.lake.write(
        "entities/mentions",
        mentions.slice(1),
        MENTIONS,
        batch="b",
        metadata=bench.lake.metadata("entities/mentions", "b"),
    )
    other = Scripted()
    run = bench.run(other)
    assert (other.asked, run.n_cached) == ([CML], 1)
    assert bench.rows() == whole


@pytest.mark.parametrize(
    "found",
    [(Found(5, 3, "disease"),), (Found(0, 10_000, "disease"),), (Found(0, 4, "disease"), Found(2, 6, "chemical")), (Found(0, 2, "gene"),)],
)  # fmt: skip
def test_an_extractor_that_breaks_its_contract_is_refused(bench: Bench, found: Any) -> None:
    bench.land("Some nausea " + "Zyxcanaryqwv")
    with pytest.raises(ExtractionError) as caught:
        bench.run(Scripted(says=lambda text, said: said._replace(found=found)))
    assert "Zyxcanaryqwv" not in str(caught.value)


def test_errors_of_libraries_do_not_quote_the_note(bench: Bench) -> None:
    bench.land("Zyxcanaryqwv has nausea")

    def quotes(text: str, said: Extraction) -> Extraction:
        raise ValueError(text)

    with pytest.raises(StepError) as caught:
        bench.run(Scripted(says=quotes))
    assert "Zyxcanaryqwv" not in str(caught.value)


def test_an_extractor_that_is_another_when_opened_is_refused(bench: Bench) -> None:
    bench.land(CML)
    changed = Scripted()
    chosen = changed.chosen()
    changed.model_revision = "other"
    changed.chosen = lambda: chosen  # type: ignore[method-assign]
    with pytest.raises(ExtractorError, match="model_revision changed"):
        bench.run(changed)


def test_checks_see_missing_stale_and_foreign_notes_and_wrong_offsets(bench: Bench) -> None:
    bench.land(CML, NONE)
    scripted = Scripted()
    bench.run(scripted, scope=[1, 2])
    notes = bench.lake.read("notes/notes", "b")
    identity = dict(scripted.chosen().identity)
    rows = bench.lake.read("entities/notes", "b")
    assert note_cover(rows, notes, identity) == Cover(n_notes=2, n_missing=0, n_stale=0, n_foreign=0, n_failed=0)
    assert note_cover(rows.slice(1), notes, identity).n_missing == 1
    assert note_cover(rows, notes.slice(1), identity).n_foreign == 1
    assert note_cover(rows, notes, identity | {"model_revision": "2"}).n_stale == 2
    good = span_faults(bench.lake, "b")
    assert (good.n_outside, good.n_other_words, good.n_overlapping, good.n_without_note) == (0, 0, 0, 0)
    bench.land(" " + CML, NONE)
    assert span_faults(bench.lake, "b").n_other_words == good.n_mentions
    bench.land("x", NONE)
    assert span_faults(bench.lake, "b").n_outside == good.n_mentions
