"""What a user would land for the applications, made up for the demo: a trial, a label table of drugs, costs of drugs.

All of it is invented. The label rows are no text of any label, the costs no price of any drug.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from clinical_assets.synthetic.concepts import CONCEPTS, cid
from clinical_assets.synthetic.write import publish

__all__ = ["DEMO_TRIAL", "write_application_inputs"]

SOURCE = "synthetic demonstration label, not a real one"

DEMO_TRIAL = f"""# SYNTHETIC: a made-up trial for the demo hospital. Copy it, edit it, drop it in landing/trials.
name: demo_deep_response
title: Stopping imatinib in deep molecular response (made up)
source: synthetic, of no registry
criteria:
  - name: chronic_myeloid_leukaemia
    condition: {{concepts: [{cid("cml")}]}}
  - name: on_imatinib
    drug: {{concepts: [{cid("imatinib")}]}}
    within_days: 180
  - name: bcr_abl1_at_most_0_1_percent
    lab: {{concepts: [{cid("bcr_abl")}], comparator: "<=", value: 0.1, unit: "%"}}
    within_days: 365
  - name: adult
    age: {{at_least: 18, at_most: 80}}
  - name: advanced_phase
    kind: exclusion
    condition: {{concepts: [{cid("cml_accelerated")}, {cid("cml_blast")}]}}
    no_record_means: absent
  - name: transplant
    kind: exclusion
    procedure: {{concepts: [{cid("bmt")}, {cid("hsct")}]}}
    no_record_means: absent
  - name: bcr_abl1_positive_in_notes
    note_field: bcr_abl1_positive
"""

# drug | condition | kind
_LABELS = """
imatinib|cml|indication
imatinib|gist|indication
imatinib|ph_all|indication
dasatinib|cml|indication
dasatinib|ph_all|indication
nilotinib|cml|indication
nilotinib|mi|contraindication
metformin|diabetes2|indication
metformin|ckd|contraindication
ibuprofen|osteoarthritis|indication
ibuprofen|joint_pain|indication
ibuprofen|ckd|contraindication
ibuprofen|peptic_ulcer|contraindication
lisinopril|hypertension|indication
atorvastatin|hyperlipidemia|indication
warfarin|afib|indication
hydroxychloroquine|sle|indication
hydroxychloroquine|ra|indication
"""


def _csv(rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def write_application_inputs(landing: Path) -> list[Path]:
    """Write trials/demo_deep_response.yaml, labels_of_drugs.csv and drug_costs.csv, each whole or not at all; return where."""
    pairs = [line.split("|") for line in _LABELS.strip().splitlines()]
    labels: list[list[object]] = [
        ["drug_concept_id", "drug_name", "condition_concept_id", "condition_name", "kind", "source"]
    ]
    labels += [[cid(d), CONCEPTS[d].name, cid(c), CONCEPTS[c].name, kind, SOURCE] for d, c, kind in pairs]
    drugs = sorted({drug for drug, _, _ in pairs})
    costs: list[list[object]] = [["drug_concept_id", "unit_cost", "source"]]
    costs += [[cid(drug), 10 * (i + 1), "synthetic, no real price"] for i, drug in enumerate(drugs)]
    written = {
        landing / "trials" / "demo_deep_response.yaml": DEMO_TRIAL.encode(),
        landing / "labels_of_drugs.csv": _csv(labels),
        landing / "drug_costs.csv": _csv(costs),
    }
    for path, content in written.items():
        publish(path, content)
    return list(written)
