"""Sensors on the landing folder. They register and launch intake, or observe; what follows is the automation's."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from clinical_assets.annotations.landed import annotation_files
from clinical_assets.cohort.parameters import dbt_vars, parameters_digest
from clinical_assets.cohort.snapshots import scan_snapshots
from clinical_assets.entities.applications.trials import trial_files
from clinical_assets.notes.landing import DueBatch, LandingState, digest_candidates, due_batches, scan
from clinical_assets.notes.store import held_digests
from clinical_assets.prediction.rows import question_files
from clinical_assets.study.load import StudyError
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.landing import LandingResource
from resources.partitions import NOTE_BATCHES
from sensors.quality import without_standing_checks

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

__all__ = ["build_ingest_job", "build_landing_sensors"]

_DIGEST_BYTES_PER_TICK = 2 << 30  # about 10 s of hashing; a tick must end well within the 60 s gRPC limit

_STUDY = "study"  # beside the tables in the cursor; its asset is landing/study
_ANNOTATIONS, _PREDICTION, _TRIALS = "annotations", "prediction", "trials"  # likewise landing/<name>


def build_ingest_job(intake: list[dg.AssetKey]) -> "UnresolvedAssetJobDefinition":
    """Return the job that ingests one note batch with its checks, and nothing downstream."""
    return dg.define_asset_job(
        "ingest_note_batch_job",
        selection=without_standing_checks(intake),
        description="Ingest one landed note batch: notes, sections, rejects and their checks. Downstream follows by condition.",
    )


def build_landing_sensors(
    ingest_job: "UnresolvedAssetJobDefinition", omop_tables: Mapping[str, str]
) -> list[dg.SensorDefinition]:
    """Return the sensors on new notes and on new OMOP snapshots.

    Parameters
    ----------
    ingest_job
        What a new batch launches.
    omop_tables
        Names of the OMOP tables that are observed.
    """

    @dg.sensor(
        name="land_note_batches",
        job=ingest_job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Registers new or corrected note batches in landing/notes and launches their intake, some per tick.",
    )
    def land_note_batches(
        context: dg.SensorEvaluationContext,
        deployment: DeploymentResource,
        landing: LandingResource,
        lake: LakeResource,
    ) -> dg.SensorResult:
        settings, folder, state = deployment.settings(), landing.notes_folder(), LandingState.from_json(context.cursor)
        seen = scan(
            folder,
            now=time.time(),
            settle_seconds=settings.settle_seconds,
            known=state.known,
            resume_after=state.resume_after,
        )
        seen = digest_candidates(seen, folder, max_bytes=_DIGEST_BYTES_PER_TICK)
        # Only batches that the cursor does not know as requested are looked up in the lake: it is one small read each.
        unsure = [
            c.batch
            for c in seen.candidates
            if c.fingerprint.digest and state.requested.get(c.batch) != c.fingerprint.digest
        ]
        due = due_batches(
            seen, held_digests(lake.open(), unsure), settings.max_batches_per_tick, requested=state.requested
        )
        for problem in seen.problems:
            context.log.warning(f"landing/notes: {problem.name}: {problem.reason}. {problem.mend}")
        return dg.SensorResult(
            run_requests=[_run_request(batch) for batch in due],
            dynamic_partitions_requests=[NOTE_BATCHES.build_add_request([batch.batch for batch in due])] if due else [],
            cursor=state.after(seen, due).to_json(),
            skip_reason=None
            if due
            else f"{len(seen.candidates)} batches seen, none is due; {seen.n_problems} problems",
        )

    @dg.sensor(
        name="observe_omop_snapshots",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Observes landed tables, human labels, questions and the study's parameters: what changed has a new data version, "
        "which refreshes what reads it.",
    )
    def observe_omop_snapshots(
        context: dg.SensorEvaluationContext, deployment: DeploymentResource, landing: LandingResource
    ) -> dg.SensorResult:
        seen = json.loads(context.cursor or "{}")
        found = scan_snapshots(
            {table: landing.omop_folder() / folder for table, folder in omop_tables.items()},
            seen,
            now=time.time(),
            settle_seconds=deployment.settings().settle_seconds,
        )
        folders = {
            _ANNOTATIONS: (landing.annotations_folder(), annotation_files),
            _PREDICTION: (landing.prediction_folder(), question_files),
            _TRIALS: (landing.trials_folder(), trial_files),
        }
        others = scan_snapshots(
            {name: folder for name, (folder, _) in folders.items()},
            seen,
            now=time.time(),
            settle_seconds=deployment.settings().settle_seconds,
            files_of=lambda folder, name: folders[name][1](folder),
        )
        for problem in (*found.problems, *others.problems):
            context.log.warning(f"landing: {problem}")
        known, changed = {**found.known, **others.known}, {**found.changed, **others.changed}
        try:
            digest = parameters_digest(dbt_vars(deployment.load_study()))
        except StudyError as error:
            # The study in force is the last one that could be read: its observation stands.
            context.log.warning(str(error))
            digest = seen.get(_STUDY, [""])[-1]
        if digest and [digest] != seen.get(_STUDY):
            changed[_STUDY] = digest
        if digest:
            known[_STUDY] = [digest]
        return dg.SensorResult(
            asset_events=[_observation(table, digest) for table, digest in sorted(changed.items())],
            cursor=json.dumps(known),
            skip_reason=None
            if changed
            else "no snapshot, no human label, no table of a question and no parameter changed",
        )

    return [land_note_batches, observe_omop_snapshots]


def _observation(table: str, digest: str) -> dg.AssetObservation:
    return dg.AssetObservation(asset_key=dg.AssetKey(["landing", table]), tags={"dagster/data_version": digest})


def _run_request(batch: DueBatch) -> dg.RunRequest:
    # The digest is part of the key: a corrected file is a new run, the same file never is.
    return dg.RunRequest(
        run_key=f"{batch.batch}:{batch.digest}",
        partition_key=batch.batch,
        tags={"clinical/source_sha256": batch.digest[:63], "clinical/note_batch": batch.batch[:63]},
    )
