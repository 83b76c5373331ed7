"""Landing the demo hospital."""

from __future__ import annotations

import time
from collections.abc import Callable

from clinical_assets.settings import Settings

__all__ = ["land_demo_hospital"]


def land_demo_hospital(settings: Settings, *, persons: int, seed: int, say: Callable[[str], None]) -> None:
    """Write the demo hospital to landing/. The same seed and size land the same bytes, so landing it twice changes nothing.

    Raises
    ------
    ValueError
        If landing/ holds anything but a demo hospital: synthetic and real persons must never mix.
    """
    from clinical_assets.synthetic.application_inputs import write_application_inputs
    from clinical_assets.synthetic.config import HospitalConfig
    from clinical_assets.synthetic.entity_corpus import write_corpus
    from clinical_assets.synthetic.hospital import build_hospital
    from clinical_assets.synthetic.placenta_trial import write_trial
    from clinical_assets.synthetic.write import write_landing

    landing, started = settings.landing, time.monotonic()
    mark = landing / "SYNTHETIC.txt"
    if landing.exists() and any(landing.rglob("*.*")) and not mark.exists():
        raise ValueError(
            f"{landing} holds data that is not the demo hospital; use another folder: CLINICAL_DATA=... make run"
        )
    hospital = build_hospital(HospitalConfig(n_persons=persons, seed=seed))
    write_landing(hospital, landing)
    write_trial(landing, seed=seed)
    write_application_inputs(landing)
    write_corpus(landing, seed=seed)
    n_notes = sum(batch.num_rows for batch in hospital.note_batches.values())
    say(
        f"demo hospital (synthetic, seed {seed}): {persons:,} persons, {n_notes:,} note rows in "
        f"{len(hospital.note_batches)} batches, {time.monotonic() - started:.1f} s -> {landing}"
    )
