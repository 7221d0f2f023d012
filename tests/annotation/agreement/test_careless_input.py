"""What careless users and hostile tables bring: nothing is silently misread, nothing ends in a traceback."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.agreement import agreement, measure, read_ratings
from annotation.agreement.field_report import Options
from annotation.agreement.ratings_file import read_ratings_file
from annotation.agreement.report import measure_table
from annotation.ratings import select
from schemas.errors import InputError

IDS = {"item": "item", "rater": "rater"}


def frame(values, **columns):
    items = len(values) // 2
    return pd.DataFrame(
        {"item": np.repeat(range(items), 2), "rater": ["a", "b"] * items, "v": values, **columns}
    )


def faults(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return [str(issue) for issue in caught.value.issues]


# -- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";"])
def test_words_for_missing_are_values_like_any_other(tmp_path, mark):
    """A rater called NA and a label called null exist; only an empty cell is missing."""
    path = tmp_path / "r.csv"
    path.write_text("item,rater,v\n1,NA,null\n1,b,nan\n2,NA,n/a\n2,b,\n".replace(",", mark), "utf-8")
    rows = read_ratings_file(path, ["item", "rater", "v"])
    assert rows.column("rater").to_pylist() == ["NA", "b", "NA", "b"]
    assert rows.column("v").to_pylist() == ["null", "nan", "n/a", None]
    found = agreement(rows, "v:nominal", **IDS, n_boot=0)
    assert (found.ratings, found.raters) == (3, 2)


def test_a_column_that_the_header_names_twice_is_refused_with_every_delimiter(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("a,b,a\n1,2,3\n", "utf-8")
    assert "twice" in faults(read_ratings_file, path, ["a", "b"])[0]
    assert read_ratings_file(path, ["b"]).to_pylist() == [{"b": "2"}]


def test_blanks_around_cells_and_heads_make_no_new_raters(tmp_path):
    path = tmp_path / "r.csv"
    for text in ("item, rater, v\n1, a, x\n1, b, x \n", "item,rater,v\n1,a,x\n1, b,x \n"):
        path.write_text(text, "utf-8")
        rows = read_ratings_file(path, ["item", "rater", "v"])
        assert rows.column("rater").to_pylist() == ["a", "b"]
        assert rows.column("v").to_pylist() == ["x", "x"]


def test_faults_of_the_request_and_of_the_file_are_told_together(tmp_path):
    found = faults(
        measure_table,
        tmp_path / "nothing.csv",
        ["e:nominal", "e:set", "x:foo"],
        item="i",
        options=Options(where=("q",)),
    )
    assert len(found) == 4
    assert any("no such file" in one for one in found)
    assert any("one field, at one level" in one for one in found)


# -- tables -------------------------------------------------------------------------------------------


def test_columns_of_the_same_name_are_refused():
    twice = pd.DataFrame([[1, "a", "x", "y"]], columns=["item", "rater", "v", "v"])
    arrow = pa.Table.from_arrays([pa.array([1])] * 4, names=["item", "rater", "v", "v"])
    for table in (twice, arrow):
        assert faults(agreement, table, "v:nominal", **IDS) == ["v: there are several columns of this name"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([["a"], ["b"]], "v:nominal"),
        ([{"a": 1}, {"a": 2}], "v:nominal"),
        ([{"a": 1}, {"a": 2}], "v:set"),
        ([[["a"]], [["b"]]], "v:set"),
    ],
)
def test_cells_that_are_no_single_values_are_refused(values, field):
    assert "no single values" in faults(agreement, frame(values), field, **IDS)[0]


def test_list_views_are_lists():
    values = [["a"], [], ["b"], ["b"]]
    for kind in (pa.list_(pa.string()), pa.large_list(pa.string()), pa.list_view(pa.string())):
        table = pa.table({"item": [1, 1, 2, 2], "rater": list("abab"), "v": pa.array(values, kind)})
        assert agreement(table, "v:set", **IDS, n_boot=0).coefficients["alpha"].value == pytest.approx(0.4)


def test_nothing_in_a_list_is_no_label_however_many_labels_there_are():
    many = [f"l{place:02d}" for place in range(70)]
    coded = read_ratings(frame([many, many, ["l00", None], ["l00"]]), "v:set", **IDS)
    assert {frozenset(["l00"]), frozenset(many)} == set(coded.values)


def test_a_blank_id_is_missing_in_a_categorical_column_too():
    table = frame(list("xyxx"), rater=pd.Categorical(["a", "", "a", "b"]))
    assert faults(agreement, table, "v:nominal", **IDS) == ["row 2, column 'rater': the id is missing"]


def test_numbers_have_no_labels():
    for level in ("interval", "ratio"):
        assert read_ratings(frame([1, 2, 2, 2]), f"v:{level}", **IDS).labels == ()


# -- numbers ------------------------------------------------------------------------------------------


def test_huge_integers_in_text_keep_their_digits():
    numbers = [2**80 + one for one in (1, 2, 5, 5, 9, 8)]
    near = agreement(frame([1, 2, 5, 5, 9, 8]), "v:interval", **IDS, n_boot=0)
    far = agreement(frame([str(one) for one in numbers]), "v:interval", **IDS, n_boot=0)
    assert far.coefficients["alpha"].value == pytest.approx(near.coefficients["alpha"].value, abs=1e-12)


def test_numbers_whose_squares_overflow_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = faults(agreement, frame([1e308, -1e308, 1.0, 2.0]), "v:interval", **IDS)
    assert found[0] == "row 1, column 'v': a number this large cannot be squared, got 1e+308"
    assert len(found) == 2


def test_an_interval_of_a_correlation_that_leaves_the_scale_is_none():
    found = agreement(frame([-(2**63), 2**63 - 1, 5, 5, 6, 7]), "v:interval", **IDS, n_boot=0)
    for one in found.coefficients.values():
        assert (one.reason is not None) == (one.value is None or one.se is None or one.low is None)


# -- arguments ----------------------------------------------------------------------------------------


def test_arguments_that_mean_nothing_are_all_named():
    found = faults(
        agreement,
        frame([1, 2, 2, 2]),
        "v:nominal",
        **IDS,
        n_boot=-1,
        seed=-1,
        interval="normal",
        weights="lin",
        set_distance="dice",
    )
    assert len(found) == 5
    assert "did you mean 'linear'" in found[-1]


@pytest.mark.parametrize(
    "weights",
    [np.eye(3), np.array([[1, 0.5], [0, 1]]), np.zeros((2, 2)), np.array([[1, np.nan], [np.nan, 1]])],
)
def test_weights_that_fit_no_categories_are_refused(weights):
    assert "weights" in faults(agreement, frame([1, 2, 2, 2]), "v:nominal", **IDS, weights=weights)[0]


@pytest.mark.parametrize(
    ("column", "value", "rows"),
    [
        (pa.array([["joy"], ["joy", "fear"], [], None]), "joy|fear", [1]),
        (pa.array([["joy"], ["joy", "fear"], [], None], pa.large_list(pa.string())), "[]", [2]),
        (pa.array([1, 2, None, 2], pa.int8()), "2", [1, 3]),
    ],
)
def test_conditions_compare_cells_as_text_and_sets_too(column, value, rows):
    table = pa.table({"c": column, "row": range(4)})
    assert select(table, [f"c={value}"], "table").column("row").to_pylist() == rows
    assert "no row has this value" in faults(select, table, ["c=nowhere"], "table")[0]


# -- sizes --------------------------------------------------------------------------------------------


def test_a_crowd_on_one_item_gives_a_reason_and_not_a_day_of_work():
    raters, items = 8000, 3
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "item": np.repeat(range(items), raters),
            "rater": np.tile(range(raters), items),
            "v": random.integers(0, 5, raters * items),
        }
    )
    found = agreement(table, "v:ordinal", **IDS, n_boot=50).coefficients
    assert found["cohen_kappa"].value is None
    assert "pairs of ratings" in found["cohen_kappa"].reason
    assert abs(found["alpha"].value) < 0.01
    assert abs(found["conger_kappa"].value) < 0.01


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio", "set"])
def test_a_text_column_taken_for_a_label_needs_no_matrix_of_all_values(level, tmp_path):
    """20,000 distinct values: a matrix of every two would take 3.2 GB."""
    random = np.random.default_rng(1)
    values = random.permutation(20_000) + 1
    rows = {"item": np.repeat(range(10_000), 2), "rater": list("ab") * 10_000, "v": map(str, values)}
    pq.write_table(pa.table({name: list(one) for name, one in rows.items()}), tmp_path / "r.parquet")
    report = measure_table(tmp_path / "r.parquet", [f"v:{level}"], **IDS, options=Options(n_boot=10))
    found = report.fields[0].agreement.coefficients
    if level in ("ratio", "set"):
        assert "compares every two" in found["alpha"].reason
    else:
        assert abs(found["alpha"].value) < 0.05


def test_alpha_without_a_matrix_is_alpha_with_one():
    random = np.random.default_rng(2)
    values = random.integers(0, 500, 2000).astype(str)
    coded = read_ratings(frame(list(values)), "v:ordinal", **IDS)
    nominal = measure(read_ratings(frame(list(values)), "v:nominal", **IDS), n_boot=0).coefficients["alpha"]
    pairs = coded.code[np.argsort(coded.item, kind="stable")].reshape(-1, 2)
    totals = np.bincount(coded.code).astype(float)
    n = totals.sum()
    observed = (pairs[:, 0] != pairs[:, 1]).mean()
    expected = (n**2 - (totals**2).sum()) / (n * (n - 1))
    assert nominal.value == pytest.approx(1 - observed / expected, abs=1e-12)
    ranks = np.cumsum(totals) - totals / 2
    observed = ((ranks[pairs[:, 0]] - ranks[pairs[:, 1]]) ** 2).mean()
    centred = ranks - (totals @ ranks) / n
    expected = 2 * n * (totals @ centred**2) / (n * (n - 1))
    ordinal = measure(coded, n_boot=0).coefficients["alpha"]
    assert ordinal.value == pytest.approx(1 - observed / expected, abs=1e-10)
