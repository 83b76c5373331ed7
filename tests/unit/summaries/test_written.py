"""Written summaries: map-reduce, rounds that name what was lost, bad input, resuming, references and the adapter.

A scripted writer stands for the model where what it writes matters; a tiny one with random weights where only the path does.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from clinical_assets.labels.assertion import Section
from clinical_assets.language_models.catalogue import Catalogue, CatalogueError, ModelEntry, load_catalogue
from clinical_assets.language_models.decoding import decoding_of
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.loading import ModelError, model_revision
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.opening import Usage
from clinical_assets.language_models.texts import TextRequest, WrittenText
from clinical_assets.language_models.writing_opening import open_writer
from clinical_assets.notes.guards import as_read_limits
from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.summary_contracts import WRITTEN_SUMMARIES
from clinical_assets.study.summarizing import Written
from clinical_assets.study.summary_wording import SummaryWordings
from clinical_assets.summaries.source import Source, SourceNote
from clinical_assets.summaries.stages import StaleStageError
from clinical_assets.summaries.vocabulary import vocabulary_of
from clinical_assets.summaries.written.batch import write_batch
from clinical_assets.summaries.written.density import FirstStage, compress_summaries, named
from clinical_assets.summaries.written.map_reduce import document_of, pieces_of, write_summaries
from clinical_assets.summaries.written.references import store_references
from clinical_assets.summaries.written.stage import WrittenStage, settings_sha, wordings_of, written_stages
from clinical_assets.summaries.written.task import required_adapter, summary_examples, train_writer
from tests.unit.language_models import tiny_models as tiny
from tests.unit.language_models.lora_bench import save_base
from tests.unit.summaries.test_batches import rows as note_rows
from tests.unit.summaries.test_batches import text_sha256

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
CANARY = "Zebedee Quux"
LONG = (
    f"{CANARY} has chronic myeloid leukemia since 2014 and takes imatinib 400 mg daily. Work has been fine. "
    "Denies fever. BCR::ABL1 0.020% on 3/17/2020. Hb 12.6, platelets 210. Seen again in 3 months."
)
FACTS = "Chronic myeloid leukemia since 2014, imatinib 400 mg, no fever, BCR::ABL1 0.020% on 3/17/2020, Hb 12.6, platelets 210, 3 months."


class Scripted:
    """Writes what a function of the prompt's slots says; remembers what it was asked."""

    decoding = "scripted"

    def __init__(self, says: Any, room: int = 10_000) -> None:
        self.says, self.asked, self.opened, self._room = says, [], 0, room

    def write(self, requests: list[TextRequest]) -> Any:
        for index, request in reversed(list(enumerate(requests))):
            request.prompt.check_slots(request.slots)
            self.asked.append(dict(request.slots))
            said = self.says(request.slots)
            yield index, said if isinstance(said, WrittenText) else WrittenText("written", said, 10, 5, 0.1)

    def token_count(self, text: str) -> int:
        return len(text.split())

    def room(self, prompt: Any, max_new_tokens: int) -> int:
        return self._room

    def close(self) -> None:
        """Nothing is held."""

    @contextlib.contextmanager
    def open(self) -> Any:
        self.opened += 1
        yield self


def with_written(study: Any, **rules: Any) -> Any:
    written = study.summaries.written.model_copy(
        update={n: rules.pop(n) for n in list(rules) if n in Written.model_fields}
    )
    return study.model_copy(update={"summaries": study.summaries.model_copy(update={"written": written, **rules})})


def source_of(text: str, *sections: Section) -> Source:
    return Source(1, 1, (SourceNote(1, text, "sha", sections),), "ready")


# --- map-reduce -------------------------------------------------------------------------------------------------------


def sectioned() -> Source:
    parts = [("hpi", "HPI:", " ".join(f"Sentence {i} of the history." for i in range(22))), ("plan", "Plan:", "Imatinib 400 mg. " + "Come again. " * 16)]  # fmt: skip
    text, sections = "", []
    for name, head, body in parts:
        start = len(text)
        text += f"{head}\n{body}\n"
        sections.append(Section(name, start, start + len(head), len(text)))
    return source_of(text, *sections)


def test_a_long_source_is_cut_at_sections_and_sentences_and_nothing_is_left_out() -> None:
    document, writer = document_of(sectioned()), Scripted(str)
    assert pieces_of(document, 1000, writer) == [document.text]
    pieces = pieces_of(document, 48, writer)
    assert len(pieces) == 4
    assert pieces[1].startswith("HPI: (continued)\nSentence")
    assert pieces[3].startswith("Plan:\nImatinib 400 mg")
    bare = [piece.removeprefix("HPI: (continued)\n") for piece in pieces]
    assert "".join(bare) == document.text
    assert all(piece.rstrip().endswith(".") for piece in pieces), "no sentence is cut"
    assert max(writer.token_count(piece) for piece in pieces) <= 48
    with pytest.raises(ModelError, match="leave 12 tokens"):
        pieces_of(document, 12, writer)


def test_parts_are_joined_or_combined_and_a_failed_part_leaves_no_half_summary(study) -> None:
    words, documents = wordings_of(study.summaries), [document_of(sectioned()), document_of(source_of("Short. Note."))]

    def says(slots: dict[str, str]) -> str:
        return f"({len(slots['note'].split())} words)"

    joined, short = write_summaries(Scripted(says, 48), documents, words, Written())
    assert (joined.n_parts, short.n_parts) == (4, 1)
    assert joined.text.count("words)") == 4
    assert (joined.n_input_tokens, joined.n_output_tokens) == (40, 20)
    combining = Scripted(says, 48)
    combined, _ = write_summaries(combining, documents, words, Written(parts="combine"))
    assert combined.text == "(8 words)"
    assert combining.asked[-1]["note"] == joined.text

    def fails(status: str) -> Any:
        return lambda slots: WrittenText(status, "x" if status in {"looping", "truncated"} else None, reason="r") if "Plan" in slots["note"] else "fine"  # fmt: skip

    for status, text in (("unavailable", None), ("empty", None), ("looping", "fine\n\nfine\n\nfine\n\nx"), ("truncated", "fine\n\nfine\n\nfine\n\nx")):  # fmt: skip
        (made,) = write_summaries(Scripted(fails(status), 48), documents[:1], words, Written())
        assert (made.status, made.text, made.reason) == (status, text, "r")


# --- rounds -----------------------------------------------------------------------------------------------------------


def compressed(extractor, study, says: Any, text: str = LONG, source: str | None = None, room: int = 10_000) -> Any:
    writer = Scripted(says, room)
    (made,) = compress_summaries(
        writer, [FirstStage(text, extractor.extract(source or text))], wordings_of(study.summaries), study.summaries, extractor.extract
    )  # fmt: skip
    return made, writer


def test_what_a_draft_lost_is_named_in_the_next_round_until_enough_is_kept(extractor, study) -> None:
    study = with_written(study, compressed_ratio=0.95)
    drafts = iter(["Leukemia, doing well.", FACTS.replace(", Hb 12.6", ""), FACTS, "never asked"])
    made, writer = compressed(extractor, study, lambda slots: next(drafts))
    assert (made.status, made.text, made.n_rounds) == ("summarized", FACTS, 3)
    assert [set(asked) for asked in writer.asked] == [{"note"}, {"note", "draft", "lost"}, {"note", "draft", "lost"}]
    assert writer.asked[1]["draft"] == "Leukemia, doing well."
    lost = writer.asked[1]["lost"]
    assert "imatinib 400 mg" in lost
    assert "3/17/2020" in lost
    assert "fever (denied or absent)" in lost
    assert lost.index("400 mg") < lost.index("fever")
    assert writer.asked[2]["lost"].lower() == "- hb 12.6"
    assert [row["n_numeric_lost"] for row in made.rounds] == [made.rounds[0]["n_numeric_lost"], 1, 0]
    assert made.rounds[0]["n_numeric_lost"] >= 5
    assert made.rounds[2]["n_entities_lost"] == 0


def test_the_best_draft_is_kept_and_the_round_limit_holds(extractor, study) -> None:
    study = with_written(study, compressed_ratio=0.95)
    good, drafts = FACTS.replace(", Hb 12.6", ""), iter([FACTS.replace(", Hb 12.6", ""), "Fine.", "Also fine."])
    made, writer = compressed(extractor, study, lambda slots: next(drafts))
    assert (made.text, made.status, made.n_rounds) == (good, "facts_lost", 2), "the same question is not asked twice"
    assert made.rounds[1]["n_numeric_lost"] > made.rounds[0]["n_numeric_lost"] == 1
    one, writer = compressed(extractor, with_written(study, rounds=1), lambda slots: good)
    assert (one.n_rounds, len(writer.asked)) == (1, 1)


def test_invented_numbers_loops_and_failures_are_no_best_draft(extractor, study) -> None:
    study = with_written(study, compressed_ratio=0.95)
    drafts = iter([FACTS + " Hb 99.9.", FACTS])
    made, _ = compressed(extractor, study, lambda slots: next(drafts))
    assert made.text == FACTS
    assert [row["n_numeric_invented"] for row in made.rounds] == [1, 0]
    # what stage 1 invented is not asked for again
    made, writer = compressed(extractor, study, lambda slots: FACTS, LONG + " Creatinine 7.7.", LONG)
    assert (made.status, len(writer.asked)) == ("summarized", 1)
    loop = WrittenText("looping", FACTS, reason="repeats_itself")
    made, _ = compressed(extractor, study, lambda slots: loop)
    assert (made.status, made.text, made.reason) == ("looping", FACTS, "repeats_itself")
    gone = iter(["Leukemia.", WrittenText("too_long", None, reason="longer_than_context")])
    made, _ = compressed(extractor, study, lambda slots: next(gone))
    assert (made.status, made.text) == ("facts_lost", "Leukemia.")
    made, _ = compressed(extractor, study, lambda slots: WrittenText("unavailable", None, reason="http_503"))
    assert (made.status, made.text, made.reason) == ("unavailable", None, "http_503")


def test_bare_numbers_are_named_with_their_words_and_no_more_than_the_limit(extractor) -> None:
    text = "Seen in 3 months.\nSmokes 20 cigarettes a day. Hb 12.6."
    lines = named(text, extractor.extract(text), 10).split("\n")
    assert "- Seen in 3 months" in lines
    assert "- Smokes 20 cigarettes a" in lines
    assert len(named(text, extractor.extract(text), 1).split("\n")) == 1


# --- batches ----------------------------------------------------------------------------------------------------------

ENTRY = tiny.entry(name="writer", tasks=["summaries", "adapters"], dtype="float32")
FIRST, SECOND = WrittenStage(ENTRY, "verbose"), WrittenStage(ENTRY, "compressed", "writer")
FRENCH = "Le patient va bien."


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    notes = [(1, LONG, "usable"), (2, "", "blank"), (3, "Chronic myeloid leukemia.", "usable"), (4, FRENCH, "not_english"), (5, LONG + " Well.", "usable")]  # fmt: skip
    lake.write("notes/notes", note_rows("b", *[(i, 10 + i, date(2020, 1, i), text, status) for i, text, status in notes]), NOTES, batch="b")  # fmt: skip
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b")
    return lake


def run(lake: Lake, study: Any, stage: WrittenStage, writer: Scripted, **more: Any) -> Any:
    return write_batch(
        lake, stage, study, "b", {1, 2, 3, 4, 5}, vocabulary_of(study), more.pop("revision", "r1"), writer.open, run_id="r", made_at=WHEN, **more
    )  # fmt: skip


def table(lake: Lake, stage: WrittenStage) -> dict[int, dict[str, Any]]:
    return {row["note_id"]: row for row in lake.read(stage.as_stage.table, "b").to_pylist()}


def test_both_stages_on_good_and_bad_notes_and_what_a_rerun_does(lake, study) -> None:
    study = with_written(study, verbose_ratio=0.8, compressed_ratio=0.95)
    first = run(lake, study, FIRST, writer := Scripted(lambda slots: slots["note"].replace("Work has been fine. ", "")))
    assert lake.read("summaries/verbose_writer", "b").schema.equals(WRITTEN_SUMMARIES, check_metadata=False)
    rows = table(lake, FIRST)
    assert {i: row["status"] for i, row in rows.items()} == {1: "over_target", 2: "no_text", 3: "one_line", 4: "not_english", 5: "over_target"}  # fmt: skip
    assert rows[3]["text"] == "Chronic myeloid leukemia."
    assert (rows[1]["n_parts"], rows[3]["n_parts"], rows[1]["spans"], rows[1]["input_sha256"]) == (1, 0, None, None)
    assert rows[1]["n_numeric"] == rows[1]["n_numeric_kept"] >= 5
    assert len(writer.asked) == 2
    second = run(lake, study, SECOND, shorter := Scripted(lambda slots: FACTS))
    assert {i: row["status"] for i, row in table(lake, SECOND).items()} == {1: "summarized", 2: "no_text", 3: "one_line", 4: "not_english", 5: "summarized"}  # fmt: skip
    short = table(lake, SECOND)[1]
    assert short["input_sha256"] == rows[1]["text_sha256"]
    assert short["n_tokens_in"] == rows[1]["n_tokens_out"]
    assert short["rounds"][0]["n_numeric_lost"] == 0
    assert (first.n_computed, second.n_computed) == (5, 5)

    silent = Scripted(lambda slots: pytest.fail("nothing is new"))
    again = run(lake, study, FIRST, silent)
    assert (again.n_cached, again.n_computed, silent.opened, again.written.digest) == (5, 0, 0, first.written.digest)
    assert run(lake, study, SECOND, silent).n_computed == 0
    # other weights, another adapter, another wording: written anew
    assert run(lake, study, FIRST, Scripted(lambda slots: "Other."), revision="r2").n_computed == 5
    assert run(lake, study, SECOND, shorter).n_computed == 2, "of stage 1 two texts are others now"
    assert {row["status"] for row in table(lake, SECOND).values()} == {
        "too_short",
        "no_text",
        "one_line",
        "not_english",
    }
    words = study.summaries.written.wording
    other = with_written(study, wording=words.model_copy(update={"verbose": words.verbose.model_copy(update={"system": "Write it all down."})}))  # fmt: skip
    digests = {settings_sha(FIRST, s, "r1", a, "v") for s, a in ((study, ""), (other, ""), (study, "a"))}
    assert len(digests) == 3


def test_a_run_that_breaks_off_goes_on_where_it_was_and_unavailable_is_asked_again(lake, study) -> None:
    n = iter(range(10))

    def breaks(slots: dict[str, str]) -> str:
        if next(n):
            raise ModelError("out of order")
        return "Leukemia."

    with pytest.raises(ModelError):
        run(lake, study, FIRST, Scripted(breaks), chunk=1)
    assert not lake.has("summaries/verbose_writer", "b")
    assert lake.n_rows("summaries_put_by/verbose_writer", "b") == 4
    rest = Scripted(lambda slots: "Rest.")
    assert run(lake, study, FIRST, rest).n_computed == 1
    assert {i: row["text"] for i, row in table(lake, FIRST).items() if i in {1, 5}} == {1: "Leukemia.", 5: "Rest."}
    assert not lake.has("summaries_put_by/verbose_writer", "b")

    down = Scripted(lambda slots: WrittenText("unavailable", None, reason="http_503"))
    run(lake, study, FIRST, down, revision="r2")
    assert table(lake, FIRST)[1]["status"] == "unavailable"
    assert run(lake, study, FIRST, rest, revision="r2").n_computed == 2


def test_stage_two_needs_a_stage_one_of_these_texts(lake, study) -> None:
    with pytest.raises(FileNotFoundError, match="materialize summaries/verbose_writer first"):
        run(lake, study, SECOND, Scripted(str))
    run(lake, study, FIRST, Scripted(lambda slots: FACTS))
    changed = lake.read("notes/notes", "b").to_pylist()
    changed[0] |= {"text": LONG + "!", "text_sha256": text_sha256(LONG + "!")}
    lake.write("notes/notes", pa.Table.from_pylist(changed, NOTES), NOTES, batch="b")
    with pytest.raises(StaleStageError, match="other texts: materialize summaries/verbose_writer"):
        run(lake, study, SECOND, Scripted(str))


def test_facts_are_counted_anew_by_another_vocabulary_without_the_model(lake, study) -> None:
    run(lake, study, FIRST, Scripted(lambda slots: slots["note"]))
    before = table(lake, FIRST)[1]["n_entities"]
    silent = Scripted(lambda slots: pytest.fail("nothing is new"))
    write_batch(lake, FIRST, study, "b", {1, 2, 3, 4, 5}, vocabulary_of(study, [("disease", "work")]), "r1", silent.open, run_id="r", made_at=WHEN)  # fmt: skip
    assert table(lake, FIRST)[1]["n_entities"] == before + 1


# --- a real, tiny model -----------------------------------------------------------------------------------------------


def test_the_whole_path_with_random_weights_in_parts_and_two_rounds(lake, study, tmp_path) -> None:
    base = save_base(tmp_path / "base")
    entry = ENTRY.model_copy(update={"model": str(base), "context_length": 560})
    wording = SummaryWordings.model_validate({
        "verbose": {"system": "Summarize it."}, "combine": {"system": "Summarize it."}, "compress": {"system": "Shorten it."},
        "refine": {"system": "Shorten it again.", "user": "<note>{note}</note><draft>{draft}</draft><lost>{lost}</lost>"},
    })  # fmt: skip
    study = with_written(
        study, wording=wording, verbose_max_new_tokens=400, compressed_max_new_tokens=24, rounds=2, least_tokens=1
    )
    usage, logs = Usage(), []
    for stage in (WrittenStage(entry, "verbose"), WrittenStage(entry, "compressed", "writer")):
        write_batch(
            lake, stage, study, "b", {1, 2, 3, 4, 5}, vocabulary_of(study), model_revision(entry),
            lambda: open_writer(entry, decoding_of("greedy"), device="cpu", usage=usage, log=logs.append), run_id="r", made_at=WHEN,
        )  # fmt: skip
    first, second = table(lake, FIRST), table(lake, SECOND)
    assert first[1]["n_parts"] > 1
    assert first[1]["text"]
    assert {row["status"] for i, row in first.items() if i in {1, 5}} <= {
        "looping",
        "truncated",
        "summarized",
        "over_target",
    }
    assert second[1]["text"]
    assert second[1]["rounds"]
    assert second[1]["n_input_tokens"] > first[1]["n_tokens_out"] // 4
    assert usage.resident_bytes > 1e6
    assert CANARY not in "".join(logs)


# --- references and the adapter ---------------------------------------------------------------------------------------


def test_reference_summaries_are_read_and_what_is_wrong_is_refused_in_words(lake, study, tmp_path) -> None:
    folder = tmp_path / "landing"
    folder.mkdir()
    good = {"note_id": 1, "summary": f"{CANARY}: CML.", "author": "ann", "text_sha256": text_sha256(LONG)}
    lines = [good, good, {"note_id": "5", "summary": "Five."}, {"note_id": 99, "summary": "Nobody."}, {"note_id": 3, "summary": " "}, {"note_id": "x", "summary": "y"}]  # fmt: skip
    (folder / "reference_summaries.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "reference_summaries.2.csv").write_text('note_id,summary,author\n3,"Leukemia, chronic.\nNo more.",bob\n')
    pq.write_table(pa.table({"note_id": [1], "text_sha256": ["0" * 64], "summary": ["Old."]}), folder / "reference_summaries.parquet")  # fmt: skip
    (folder / "reference_summaries.broken.json").write_text('[{"note_id": 1,')
    (folder / "labels.csv").write_text("not ours")
    used, refused = store_references(lake, folder, as_read_limits(study.limits))
    rows = {(row["note_id"], row["author"]): row for row in lake.read("summaries/references").to_pylist()}
    assert {key: row["text"] for key, row in rows.items()} == {
        (1, "ann"): f"{CANARY}: CML.", (5, "unnamed"): "Five.", (3, "bob"): "Leukemia, chronic.\nNo more.",
    }  # fmt: skip
    rejects = lake.read("summaries/reference_rejects").to_pylist()
    assert sorted((row["reason"], row["n"]) for row in rejects) == [("bad_note_id", 1), ("corrupt_file", 1), ("no_summary", 1), ("other_text", 1), ("twice", 1), ("unknown_note", 1)]  # fmt: skip
    assert CANARY not in json.dumps(rejects)
    assert (used.n_rows, refused.n_rows) == (3, 6)


def test_an_adapter_is_trained_on_references_and_a_missing_one_is_never_replaced_by_its_base(study, tmp_path) -> None:
    lake = Lake(tmp_path / "lake")
    notes = [
        (i, i, date(2020, 1, 1), f"Note {i}. Chronic leukemia. Imatinib {i}00 mg.", "usable") for i in range(1, 31)
    ]
    lake.write("notes/notes", note_rows("b", *notes), NOTES, batch="b")
    folder = tmp_path / "landing"
    folder.mkdir()
    lines = [{"note_id": note[0], "summary": f"Leukemia, imatinib {note[0]}00 mg."} for note in notes]
    (folder / "reference_summaries.jsonl").write_text("\n".join(map(json.dumps, lines)))
    store_references(lake, folder, as_read_limits(study.limits))
    train, validation = summary_examples(lake)
    assert len(train) + len(validation) == 30
    assert not {e.group for e in train} & {e.group for e in validation}

    entry = ENTRY.model_copy(update={"model": str(save_base(tmp_path / "base")), "summary_adapter": "required"})
    models = tmp_path / "models"
    with pytest.raises(ModelError, match=r"none is promoted.*adapters/summaries_writer"):
        required_adapter(models, entry)
    assert required_adapter(models, entry.model_copy(update={"summary_adapter": "none"})) == ""
    settings = LoraSettings(
        rank=4, alpha=8, epochs=2, learning_rate=1e-2, min_examples=4, max_tokens=1_000, tokens_per_batch=4_000
    )
    made = train_writer(lake, entry, study, settings, models=models, device=find_device("cpu"))
    assert made.promoted
    assert made.loss < made.card.base_validation_loss
    digest = required_adapter(models, entry)
    assert digest == made.adapter.digest
    prompt = wordings_of(study.summaries).verbose
    with open_writer(entry, decoding_of("greedy"), adapter=made.adapter.folder, prompt=prompt, device="cpu") as writer:
        assert [made for _, made in writer.write([TextRequest(prompt, {"note": notes[0][3]}, 4)])]
    (made.adapter.folder / "adapter_card.json").unlink()
    with pytest.raises(ModelError, match="The base model is not used in its stead"):
        required_adapter(models, entry)


# --- what may be said in catalogue and study --------------------------------------------------------------------------


def test_which_model_shortens_what() -> None:
    stages = {stage.name: stage.follows for stage in written_stages(load_catalogue())}
    assert stages["verbose_medgemma_4b_qlora"] is None
    assert stages["compressed_llama_3_8b"] == "medgemma_4b_qlora"
    shipped = load_catalogue().entry("medgemma_4b_qlora")
    assert (shipped.quantization, shipped.lora_settings.rank, shipped.model) == ("nf4", 32, "google/medgemma-4b-it")

    def entry(name: str, **changed: Any) -> ModelEntry:
        return tiny.entry(name=name, **({"tasks": ["summaries"]} | changed))

    alone = Catalogue(models=[entry("a")])
    assert alone.compressed_by(alone.entry("a")) == "a"
    none = Catalogue(models=[entry("a", summary_stages=["compressed"])])
    assert none.compressed_by(none.entry("a")) == "extractive"
    two = Catalogue(models=[entry("a"), entry("b"), entry("c", compresses="extractive")])
    assert [two.compressed_by(two.entry(name)) for name in "abc"] == ["b", "a", "extractive"]
    assert WrittenStage(two.entry("c"), "compressed", "extractive").first_table == "summaries/verbose_extractive"
    with pytest.raises((ValidationError, CatalogueError), match="writes no stage 1; known: extractive, a"):
        Catalogue(models=[entry("a", compresses="z")])
    for wrong in ({"summary_adapter": "required"}, {"summary_stages": []}):
        with pytest.raises(ValidationError):
            entry("a", **wrong)


@pytest.mark.parametrize(
    ("step", "given", "says"),
    [
        ("verbose", {"system": "Summarize it well.", "user": "the note"}, "wording.verbose.user lacks the slot {note}"),
        ("refine", {"system": "Shorten it well.", "user": "<note>{note}</note>{lost}"}, "lacks the slot {draft}"),
        ("compress", {"system": "Shorten to {words}.", "user": "<note>{note}</note>"}, "unknown slot {words}"),
        ("verbose", {"system": "Summarize it well.", "user": "{note}"}, "once, between <note> and </note>"),
    ],
)
def test_a_wording_that_cannot_be_is_refused(step: str, given: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SummaryWordings.model_validate({step: given})
    assert says in str(caught.value)
