"""Rows of a question: what is counted, what is refused and with which words, who stays together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.prediction.rows import QuestionError, dataset_of, read_source, record_text
from clinical_assets.prediction.splits import assign, leaking_groups
from clinical_assets.study.load import DEFAULT_STUDY, StudyError, parse_study
from tests.unit.prediction.asking import FEATURES, dataset, question, table


def changed(column: str, place: int, value: str) -> dict[str, list[str]]:
    columns = table()
    columns[column][place] = value
    return columns


def test_missing_outcome_is_left_out_and_counted_and_never_a_no() -> None:
    columns = table()
    before = columns["removal"].count("No")
    for place in (3, 4, 5):
        columns["removal"][place] = ["", "NA", "nan"][place - 3]
    lost = sum(table()["removal"][place] == "No" for place in (3, 4, 5))
    data = dataset(columns)
    assert (data.n_read, data.n_without_outcome, data.n) == (120, 3, 117)
    assert int((data.y == 0).sum()) == before - lost
    assert not {"p3", "p4", "p5"} & set(data.ids)
    assert "3 of 120 rows have no outcome and are left out" in data.notices


def test_prompt_has_units_and_says_what_was_not_recorded() -> None:
    columns = table()
    columns["age"][0], columns["hb"][0], columns["treated"][0] = "31.0", "nan", "Yes"
    text = record_text(dataset(columns), 0, "not recorded")
    assert text == "Age: 31 years\nHaemoglobin: not recorded\nSite: north\nTreated: yes"
    assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (changed("hb", 7, "11.2 g/dL"), ["'hb'", "1 of 120", "row 8", "plain numbers in g/dL"]),
        (changed("hb", 7, "inf"), ["'hb'", "plain numbers"]),
        (changed("treated", 2, "perhaps"), ["'treated'", "row 3", "yes or no"]),
        (changed("removal", 9, "Maybe"), ["'removal'", "row 10", "Nothing is taken for a no"]),
        (changed("id", 1, "p0"), ["1 ids repeat"]),
        ({**table(), "removal": ["Yes"] * 120}, ["120 yes among 120", "both answers are needed"]),
        ({name: values for name, values in table().items() if name != "hb"}, ["no column 'hb'", "prediction.features"]),
    ],
)
def test_bad_rows_are_refused_with_place_and_mend(columns, words, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    asked = question(source={"file": "rows.parquet"})
    with pytest.raises(QuestionError) as error:
        dataset_of(asked, read_source(asked, tmp_path, lambda sql: pa.table({})))
    for word in words:
        assert word in str(error.value)
    assert "Maybe" not in str(error.value)  # values of patients are not repeated
    assert "11.2" not in str(error.value)


def test_csv_table_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    import csv

    columns = table()
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    from_file = dataset_of(question(), read_source(question(), tmp_path, lambda sql: pa.table({})))
    in_table = question(source={"table": "prediction.births"})
    asked = []
    rows = read_source(in_table, tmp_path, lambda sql: asked.append(sql) or pa.table(columns))
    assert asked == ["select * from prediction.births"]
    assert dataset_of(in_table, rows).columns == from_file.columns
    with pytest.raises(QuestionError, match=r"landing/prediction/other\.csv: no such file"):
        read_source(question(source={"file": "other.csv"}), tmp_path, lambda sql: pa.table({}))


def test_a_feature_that_never_varies_is_seen_by_no_model_and_said() -> None:
    data = dataset({**table(), "site": ["north"] * 120})
    assert [feature.name for feature in data.features] == ["age", "hb", "treated"]
    assert "feature site is the same in all rows: no model sees it" in data.notices
    with pytest.raises(QuestionError, match="no feature varies"):
        dataset({**table(), "site": ["north"] * 120}, features=[FEATURES[2]], subgroups=[])


def test_level_that_is_not_named_is_refused() -> None:
    features = [*FEATURES[:2], {"name": "site", "kind": "category", "levels": ["north", "south"]}]
    with pytest.raises(QuestionError, match="expected one of north, south"):
        dataset(features=features)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": {"column": "hb"}}, "models would read the answer"),
        ({"subgroups": ["age"]}, "no category or yes/no feature is called so"),
        ({"source": {"file": "../rows.csv"}}, "pattern"),
        ({"source": {"file": "rows.csv", "table": "a.b"}}, "give either file"),
        ({"outcome": {"column": "removal", "negative": ["yes"]}}, "both positive and negative"),
        ({"splits": {"test_share": 0.5, "validation_share": 0.4}}, "less than 30 %"),
        ({"question_text": "x"}, "Extra inputs"),
    ],
)
def test_a_question_that_cannot_be_is_refused_before_any_work(change, words) -> None:
    with pytest.raises(ValueError, match=words):
        question(**change)


def test_the_study_file_names_the_path_of_what_is_wrong() -> None:
    text = DEFAULT_STUDY.read_text(encoding="utf-8").replace("kind: category}", "kind: word}", 1)
    with pytest.raises(StudyError, match=r"prediction.features\[1\] \('country'\).kind"):
        parse_study(text)


def test_equal_rows_and_rows_of_one_person_stay_on_one_side() -> None:
    columns = table(150, 3)
    for copy in (20, 50, 80):
        for name in ("age", "hb", "site", "treated", "removal"):
            columns[name][copy] = columns[name][0]
    columns["woman"] = [f"w{i // 2}" for i in range(150)]
    asked = {"source": {"file": "rows.csv", "person_column": "woman"}}
    data = dataset(columns, **asked)
    assert data.n_duplicates == 3
    assert len({data.groups[i] for i in (0, 1, 20, 21, 50, 51, 80, 81)}) == 1
    found = assign(data, question().splits)
    assert leaking_groups(data, found) == 0
    torn = found.split.copy()
    torn[0] = "test" if torn[0] != "test" else "train"
    assert leaking_groups(data, type(found)(torn, found.folds)) == 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(80, 200))
def test_every_row_is_judged_once_a_repeat_and_nobody_twice(seed: int, n: int) -> None:
    data = dataset(table(n, seed))
    found = assign(data, question(splits={"seed": seed, "folds": 4, "repeats": 2}).splits)
    assert leaking_groups(data, found) == 0
    assert ((found.folds == -1) == (found.split == "test")).all()
    for repeat in (0, 1):
        judged = np.concatenate([found.parts(repeat, fold)[1] for fold in range(4)])
        assert sorted(judged) == sorted(found.rows("train", "validation"))
    assert 0.1 < (found.split == "test").mean() < 0.3
    assert abs(data.y[found.rows("test")].mean() - data.y.mean()) < 0.12  # stratified
    again = assign(data, question(splits={"seed": seed, "folds": 4, "repeats": 2}).splits)
    assert (again.split == found.split).all()
    assert (again.folds == found.folds).all()


def test_too_few_of_one_answer_is_said() -> None:
    columns = table(40)
    columns["removal"] = ["Yes", "Yes"] + ["No"] * 38
    with pytest.raises(QuestionError, match="the rarer class has 2"):
        assign(dataset(columns), question().splits)
