"""Materializing everything that is due, in this process: what `make run` and `clinical-assets run` do.

The same jobs, assets and checks as in the UI; one process, because starting one per step would cost more than the work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from clinical_assets.cli.execution import Execution, processes_beside
from clinical_assets.cli.run_entities import build_graph, train_entities
from clinical_assets.cli.run_models import prepare_models, process_notes, train_meanwhile
from clinical_assets.cli.run_prediction import predict_quickly
from clinical_assets.cli.ui import dagster_home
from clinical_assets.labels.regex_labels import LABELLERS, label_identity
from clinical_assets.notes.landing import LandingScan, digest_candidates, due_batches, scan
from clinical_assets.notes.store import held_digests
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from clinical_assets.study.model import Study

__all__ = ["due_now", "materialize_everything"]

_COUNTED = {
    "notes/notes": "notes",
    "notes/rejects": "rows set aside",
    "labels/regex": "labels",
    "labels/regex_seed": "baseline labels",
}
_SQL = (
    "from ops.batches",
    "select rule, n_before, n_dropped, n_after from cohort.attrition order by rule_order",
    "select model, status, n_train, macro_f1_base, macro_f1_adapter, macro_f1_difference_low from adapters.registry",
    "from labels.evaluation_summary where note_set = 'test' order by macro_f1 desc",
    "select summarizer, metric, macro, macro_low, macro_high, micro from summaries.metrics where variant = 'summary' and n_defined > 0",
    "select model, detail, value, low, high from risk.performance where metric = 'auroc' and analysis = 'performance'",
    "select model, value, low, high from prediction.results where metric = 'auroc' and subgroup = 'all' and design = 'test'",
    "from published.field_counts where population = 'cohort' order by field, labeller",
    "select reason, count(*) as n from ops.rejects group by reason order by n desc",
)


def due_now(settings: Settings, lake: Lake) -> tuple[list[str], LandingScan]:
    """Return the landed batches whose content the lake does not hold, and the look at the folder.

    A person who runs this says that what landed is complete: loose files count as settled.
    """
    folder = settings.landing / "notes"
    due: list[str] = []
    resume_after = ""
    while True:
        seen = digest_candidates(
            scan(folder, now=time.time(), settle_seconds=0, known={}, resume_after=resume_after), folder
        )
        held = held_digests(lake, (candidate.batch for candidate in seen.candidates))
        due += [batch.batch for batch in due_batches(seen, held, len(seen.candidates))]
        resume_after = seen.resume_after
        if not resume_after:
            return due, seen


def materialize_everything(*, say: Callable[[str], None]) -> None:
    """Ingest due batches, label them, rebuild the warehouse, and say what was made, where, and what to try.

    Raises
    ------
    RuntimeError
        If a run failed; the batches that succeeded are kept, and running again takes up the rest.
    """
    dagster_home()  # before the slow imports: the commonest mistake answers at once
    import dagster as dg

    from definitions import build_defs
    from resources.lake import LakeResource
    from resources.partitions import NOTE_BATCHES_NAME

    started, settings, defs = time.monotonic(), Settings(), build_defs()
    lake_resource = defs.resources["lake"] if defs.resources else None
    assert isinstance(lake_resource, LakeResource)
    lake = lake_resource.open()
    due, seen = due_now(settings, lake)
    for problem in seen.problems:
        say(f"landing/notes: {problem.name}: {problem.reason}. {problem.mend}")
    study = load_study(settings.study)
    unlabelled = [
        batch
        for batch in lake.batches("notes/intakes")
        if batch not in due and not all(_is_labelled(lake, labeller, batch, study) for labeller in LABELLERS)
    ]
    failed: list[str] = []
    with dg.DagsterInstance.get() as instance, processes_beside() as beside:
        training = train_meanwhile(settings, study, beside)
        execution = Execution(defs, instance)
        execution.run("observe_landing")
        # those of the lake too: Dagster's own records may be new, or another machine's
        instance.add_dynamic_partitions(NOTE_BATCHES_NAME, sorted({*lake.batches("notes/intakes"), *due}))
        for position, (batch, job) in enumerate(
            [(b, "materialize_note_batch") for b in due] + [(b, "label_note_batch") for b in unlabelled], start=1
        ):
            ok, seconds = execution.run(job, batch)
            say(f"[{position}/{len(due) + len(unlabelled)}] {batch}: {'done' if ok else 'FAILED'} in {seconds:.1f} s")
            failed += [] if ok else [batch]
        failed += prepare_models(execution, settings, study, lake, training, say)
        failed += train_entities(execution, settings, lake, say)
        failed += predict_quickly(execution, settings, study, lake, say)
        failed += process_notes(execution, lake, training, beside, say)
        failed += build_graph(execution, say)
        ok, seconds = execution.run("build_warehouse_job")
        say(f"warehouse: {'published' if ok else 'FAILED, the old one stands'} in {seconds:.1f} s")
    if failed or not ok:
        what = ", ".join(failed) or "the warehouse"
        raise RuntimeError(
            f"not everything succeeded ({what}). Read the run in the UI (make ui), mend it, and run this again."
        )
    say(f"{len(due)} batches ingested, {len(unlabelled)} labelled anew, {time.monotonic() - started:.1f} s in all")
    made = {table: sum(lake.n_rows(table, batch) for batch in lake.batches(table)) for table in _COUNTED}
    say("in the lake: " + ", ".join(f"{n:,} {_COUNTED[table]}" for table, n in made.items()))
    say(f"warehouse  {settings.warehouse}\nfigures    {settings.report / 'figures'}\nlake       {settings.lake}")
    say(f"summaries  {settings.report / 'summaries.md'}, as files in {settings.exports / 'summaries'}")
    say(f"landing    {settings.landing}\nTry:")
    command = os.path.relpath(sys.argv[0]) if os.path.isabs(sys.argv[0]) else sys.argv[0]
    for sql in _SQL:
        say(f'  {command} query "{sql}"')


def _is_labelled(lake: Lake, labeller: str, batch: str, study: Study) -> bool:
    """Whether the batch has labels, and they were made by the rules of the study as it is now."""
    table, identity = f"labels/{labeller}", label_identity(study, labeller)
    if not lake.has(table, batch):
        return False
    held = lake.read(table, batch, list(identity)).slice(0, 1).to_pylist()
    return not held or held[0] == identity
