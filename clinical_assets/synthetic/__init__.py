"""The demo hospital: SYNTHETIC OMOP tables, notes and gold labels, made from a seed. No real person is described.

Use ``build_hospital(HospitalConfig(seed=…, n_persons=…))`` and ``write_landing(hospital, folder)``; the answer key for
tests is ``truth_table(hospital, name)``. Numbers derived from it describe the generator, never patients.
"""

from __future__ import annotations

from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.hospital import Hospital, build_hospital, truth_table
from clinical_assets.synthetic.write import write_landing

__all__ = ["Hospital", "HospitalConfig", "build_hospital", "truth_table", "write_landing"]
