"""The public call: degenerate data, bad input, streaming, schema fields, and the real corpora."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.agreement import agreement, read_table
from schemas import load_schema
from schemas.errors import InputError

NAMES = [
    "alpha", "fleiss_kappa", "conger_kappa", "scott_pi", "cohen_kappa", "gwet_ac1", "gwet_ac2",
    "brennan_prediger", "percent_agreement", "icc_1_1", "icc_2_1", "icc_2_k",
]  # fmt: skip


def table(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["i", "r", "v"])


def panel(items: int, value: object) -> pd.DataFrame:
    return table([(i, r, value(i, r)) for i in range(items) for r in "xy"])


DEGENERATE = {
    "one category": (panel(4, lambda i, r: "a"), "v:nominal", "alpha", "same value"),
    "one rater": (table([(i, "x", str(i)) for i in range(4)]), "v:nominal", "cohen_kappa", "only one rater"),
    "no overlap": (
        table([(i, "xyzw"[i], str(i)) for i in range(4)]),
        "v:nominal",
        "alpha",
        "no item has two",
    ),
    "nothing": (table([]), "v:nominal", "alpha", "no item has two"),
    "only missing": (table([(1, "x", None), (2, "x", None)]), "v:nominal", "alpha", "no item has two"),
    "only nan": (table([(1, "x", np.nan), (2, "x", np.nan)]), "v:interval", "alpha", "no item has two"),
    "a single item": (table([(1, "x", "a"), (1, "y", "b")]), "v:nominal", "alpha", "single item"),
    "all empty sets": (panel(4, lambda i, r: []), "v:set", "alpha", "same value"),
    "equal numbers": (panel(9, lambda i, r: 3.1), "v:interval", "icc_2_1", "do not vary"),
    "equal zeros": (panel(9, lambda i, r: 0.0), "v:ratio", "alpha", "same value"),
    "names": (panel(4, lambda i, r: "ab"[i % 2]), "v:nominal", "icc_1_1", "needs numbers"),
}


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_data_have_a_reason(case: str, method: str, clustered: bool) -> None:
    frame, field, name, reason = DEGENERATE[case]
    frame = frame.assign(c=frame["i"].map(lambda i: i // 2) if len(frame) else frame["i"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agreement(
            frame, field, item="i", rater="r", cluster="c" if clustered else None, n_boot=50, interval=method
        )
    assert found.coefficients[name].value is None
    assert reason in found.coefficients[name].reason
    for one in found.coefficients.values():
        assert one.definition
        assert (one.reason is not None) == (one.value is None or one.se is None or one.low is None)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_constant_rater_has_kappa_zero() -> None:
    found = agreement(
        panel(6, lambda i, r: "a" if r == "x" else "ab"[i % 2]), "v:nominal", item="i", rater="r"
    )
    assert found.coefficients["cohen_kappa"].value == 0.0
    assert found.coefficients["alpha"].value < 0


def test_huge_integers_keep_their_digits() -> None:
    small = panel(9, lambda i, r: i + (r == "y") * (i % 2))
    huge = small.assign(v=small["v"] + 2**62)
    values = [
        agreement(one, "v:interval", item="i", rater="r", n_boot=0).coefficients["alpha"]
        for one in (small, huge)
    ]
    assert values[0] == values[1]
    beyond = panel(9, lambda i, r: 2**70 + i)
    assert agreement(beyond, "v:nominal", item="i", rater="r", n_boot=0).coefficients["alpha"].value == 1.0


def test_the_stable_json() -> None:
    frame = panel(12, lambda i, r: "abc"[(i + (r == "x") * (i % 3 == 0)) % 3])
    frame.loc[0, "v"] = None
    found = agreement(frame, "v:nominal", item="i", rater="r", n_boot=100)
    answer = found.to_dict()
    assert list(answer) == ["level", "items", "raters", "ratings", "missing", "coefficients"]
    assert (answer["level"], answer["items"], answer["raters"]) == ("nominal", 12, 2)
    assert (answer["ratings"], answer["missing"]) == (23, 1)
    assert list(answer["coefficients"]) == NAMES
    for one in answer["coefficients"].values():
        assert list(one) == ["value", "se", "low", "high", "definition", "reason"]
    assert list(found.per_category) == ["a", "b", "c"]
    for one in found.coefficients.values():
        if one.value is not None:
            assert one.low <= one.value <= one.high or "bootstrap" in one.definition


@pytest.mark.parametrize(
    ("frame", "field", "options", "message"),
    [
        (panel(2, lambda i, r: "a"), "w:nominal", {}, "no such column"),
        (panel(2, lambda i, r: "a"), "v:nominal", {"cluster": "c"}, "no such column"),
        (panel(2, lambda i, r: "a"), "v:names", {}, "COLUMN:LEVEL"),
        (panel(2, lambda i, r: "a"), "v:interval", {}, "row 1, column 'v': not a number, got 'a'"),
        (panel(2, lambda i, r: "low"), "v:ordinal", {}, "order of these values is not known"),
        (panel(2, lambda i, r: np.inf if r == "y" else 1.0), "v:interval", {}, "row 2, column 'v': infinity"),
        (panel(2, lambda i, r: -1.0), "v:ratio", {}, "no negative"),
        (table([(None, "x", "a"), (1, None, "b")]), "v:nominal", {}, "row 1, column 'i'"),
        (table([(1, "x", "a"), (2, "x", "a"), (1, "x", "b")]), "v:nominal", {}, "row 1, column 'r'"),
        (panel(2, lambda i, r: "a"), "v:nominal", {"duplicates": "first"}, "valid: error, latest, both"),
        (panel(1, lambda i, r: "a").assign(c=[1, 2]), "v:nominal", {"cluster": "c"}, "row 1, column 'c'"),
    ],
)  # fmt: skip
def test_bad_input_names_the_rows(frame: pd.DataFrame, field: str, options: dict, message: str) -> None:
    with pytest.raises(InputError) as raised:
        agreement(frame, field, item="i", rater="r", **options)
    assert message in str(raised.value)


def test_all_faults_at_once() -> None:
    frame = table([(None, "x", 1.0), (1, "x", np.inf), (2, None, -np.inf), (3, "y", 1.0)])
    with pytest.raises(InputError) as raised:
        agreement(frame, "v:interval", item="i", rater="r")
    assert [(issue.row, issue.column) for issue in raised.value.issues] == [
        (1, "i"),
        (3, "r"),
        (2, "v"),
        (3, "v"),
    ]


def test_a_rater_who_rated_twice() -> None:
    frame = table(
        [
            (1, "x", "a"),
            (1, "y", "b"),
            (2, "x", "a"),
            (2, "y", "a"),
            (3, "x", "b"),
            (3, "y", "b"),
            (1, "x", "b"),
        ]
    )
    latest = agreement(frame, "v:nominal", item="i", rater="r", duplicates="latest", n_boot=0)
    assert latest.coefficients["percent_agreement"].value == 1.0
    both = agreement(frame, "v:nominal", item="i", rater="r", duplicates="both", n_boot=0)
    assert both.ratings == 7
    assert both.coefficients["percent_agreement"].value == pytest.approx((1 / 3 + 1 + 1) / 3, abs=1e-12)
    assert "twice" in both.coefficients["cohen_kappa"].reason


def test_numeric_text_is_ordered_as_numbers() -> None:
    values = ["10", "9", "2", "-1"]
    frame = panel(20, lambda i, r: values[(i + (r == "x") * (i % 4 == 0)) % 4])
    text = agreement(frame, "v:ordinal", item="i", rater="r", n_boot=0)
    numbers = agreement(frame.assign(v=frame["v"].astype(int)), "v:ordinal", item="i", rater="r", n_boot=0)
    assert text == numbers
    assert list(text.per_category) == ["-1", "2", "9", "10"]


def test_sets_as_lists_and_as_text() -> None:
    cells = ["a|b", "[]", "b", "a", "", "b|a"]
    text = panel(18, lambda i, r: cells[(i + (r == "x") * (i % 3 == 0)) % 6])
    lists = text.assign(v=[None if not c else [] if c == "[]" else c.split("|") for c in text["v"]])
    options = {"item": "i", "rater": "r", "n_boot": 100}
    first = agreement(text, "v:set", **options)
    assert first == agreement(lists, "v:set", **options)
    assert first == agreement(pa.Table.from_pandas(lists), "v:set", **options)
    assert first.ratings == (text["v"] != "").sum()
    assert list(first.per_category) == ["a", "b"]


def test_schema_fields_bring_their_order_and_categories() -> None:
    schema = load_schema("affect")
    sentiment = next(field for field in schema.fields if field.level == "ordinal")
    names = [str(one) for one in sentiment.categories]
    frame = panel(12, lambda i, r: names[(i + (r == "x") * (i % 4 == 0)) % 2]).rename(
        columns={"v": sentiment.name}
    )
    found = agreement(frame, sentiment, item="i", rater="r", n_boot=0)
    assert f"{len(names)} categories" in found.coefficients["brennan_prediger"].definition
    with pytest.raises(InputError, match="not a value of this field"):
        agreement(frame.replace(names[0], "angry?"), sentiment, item="i", rater="r")


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_a_file_in_batches_is_the_table(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    rows = [(f"u{i}", f"r{r}", "abc"[random.integers(3)], f"d{i // 7}") for i in range(200) for r in range(3)]
    frame = pd.DataFrame(rows, columns=["i", "r", "v", "d"]).sample(frac=1, random_state=1)
    frame.iloc[5, 2] = None
    path = tmp_path / f"ratings{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    read = read_table(path, ["i", "r", "v", "d"], batch_rows=64)
    options = {"item": "i", "rater": "r", "cluster": "d", "n_boot": 100}
    streamed, whole = agreement(read, "v:nominal", **options), agreement(frame, "v:nominal", **options)
    assert streamed == whole


def test_a_file_without_the_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("i,r\n1,x\n")
    with pytest.raises(InputError, match="no such column"):
        read_table(tmp_path / "a.csv", ["i", "v"])
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "b.csv", ["i"])


def alpha(frame: pd.DataFrame, field: str, item: str, rater: str | None) -> float:
    return agreement(frame, field, item=item, rater=rater, n_boot=0).coefficients["alpha"].value


def test_emobank(shared: Path) -> None:
    frame = pd.read_csv(shared / "data/EmoBank/individual_reader_ratings.csv")
    values = [alpha(frame, f"{name}:interval", "id", None) for name in "VAD"]
    assert values == pytest.approx([0.344, 0.245, 0.220], abs=6e-4)


def test_crema_d(shared: Path) -> None:
    votes = pd.read_csv(shared / "data/CREMA-D/tabulatedVotes.csv")
    shown = votes.iloc[:, 0] // 100_000  # 1 voice, 2 face, 3 both
    values = []
    for one in (1, 2, 3):
        counts = votes[shown == one][list("ADFHNS")].to_numpy()
        clip, emotion = np.nonzero(counts)
        times = counts[clip, emotion]
        frame = pd.DataFrame(
            {"i": np.repeat(clip, times), "v": np.repeat(np.array(list("ADFHNS"))[emotion], times)}
        )
        values.append(alpha(frame, "v:nominal", "i", None))
    assert values == pytest.approx([0.281, 0.458, 0.497], abs=6e-4)


def test_snow_2008(shared: Path) -> None:
    values = []
    for name in ("anger", "sadness", "surprise", "valence"):
        frame = pd.read_csv(shared / f"data/Snow2008_affect/{name}.standardized.tsv", sep="\t")
        values.append(alpha(frame, "response:interval", "orig_id", "!amt_worker_ids"))
    assert values == pytest.approx([0.353, 0.437, 0.057, 0.326], abs=6e-4)


def test_conversational_sarcasm(shared: Path) -> None:
    values = []
    for part in ("dev", "test"):
        items = json.loads((shared / f"data/LeWiDi_CSC/CSC_{part}.json").read_text(encoding="utf-8"))
        rows = [(i, r, v) for i, one in items.items() for r, v in one["annotations"].items()]
        values.append(alpha(table(rows), "v:ordinal", "i", "r"))
    assert values == pytest.approx([0.328, 0.375], abs=6e-4)
