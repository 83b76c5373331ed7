"""A tiny hospital on disk, for tests: a landing area with three persons and note batches as JSON lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

CANARY = "Zyxcanaryqwv"  # planted in every note; nothing that a run leaves behind outside the lake may hold it

OMOP = {
    "person": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n1,8507,1950,3,4\n2,8532,1960,1,1\n3,8507,1970,,\n",
    "observation_period": "observation_period_id,person_id,observation_period_start_date,observation_period_end_date\n1,1,2000-01-01,2024-12-31\n2,2,2000-01-01,2024-12-31\n3,3,2000-01-01,2024-12-31\n",
    "condition_occurrence": "condition_occurrence_id,person_id,condition_concept_id,condition_start_date\n1,1,134603,2015-02-03\n",
    "drug_exposure": "drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date\n1,1,1304107,2015-03-03\n",
}

CML = f"HPI: {CANARY} is a patient with chronic myeloid leukemia on imatinib 400 mg daily. Denies fever.\nFamily History: no leukemia.\nPlan: continue Gleevec."
NONE = f"HPI: {CANARY} comes for follow-up of hypertension. Blood pressure is controlled.\nPlan: continue lisinopril and see again in six months."


def note(note_id: int, person_id: int, text: str, date: str = "2020-05-01") -> dict[str, Any]:
    return {
        "note_id": note_id,
        "person_id": person_id,
        "note_date": date,
        "note_source_value": "Progress Notes",
        "note_text": text,
    }


class Hospital:
    """A data folder with a landing area; batches are JSON lines."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.notes = data / "landing" / "notes"
        self.omop = data / "landing" / "omop"
        self.notes.mkdir(parents=True)
        self.omop.mkdir(parents=True)
        for table, text in OMOP.items():
            self.omop.joinpath(f"{table}.csv").write_text(text, encoding="utf-8")

    def land(self, batch: str, *notes: dict[str, Any]) -> Path:
        path = self.notes / f"{batch}.jsonl"
        temp = path.with_suffix(".tmp")
        temp.write_text("".join(json.dumps(n) + "\n" for n in notes), encoding="utf-8")
        os.utime(temp, (1_700_000_000, 1_700_000_000))  # long settled
        os.replace(temp, path)
        return path
