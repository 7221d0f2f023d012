from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus.checks import Severity
from corpus.checks.times import check_times


def test_turns_one_after_the_other_pass(make) -> None:
    turns = [
        {"start": 0.0, "end": 1.0},
        {"start": 1.0, "end": 2.0},
        {"dialogue_id": "d1", "start": 0, "end": 1},
    ]
    assert list(check_times(make(turns))) == []


def test_each_fault_is_counted_and_located(make) -> None:
    turns = [
        {"start": -1.0, "end": 2.0},
        {"start": 1.5, "end": 1.5},
        {"start": 1.4, "end": 5.0},
        {"start": None, "end": 6.0},
        {"start": 5.5, "end": 7.0},
    ]
    found = list(check_times(make(turns)))
    told = {one.check: (one.severity, one.count, one.of, one.examples) for one in found}
    assert told == {
        "times.missing": (Severity.WARNING, 1, 5, ("u3",)),
        "times.negative": (Severity.ERROR, 1, 5, ("u0",)),
        "times.not_after_start": (Severity.WARNING, 1, 4, ("u1",)),
        "times.overlap": (Severity.WARNING, 3, 3, ("u1", "u2", "u4")),
        "times.out_of_order": (Severity.WARNING, 1, 2, ("u2",)),
    }


def test_no_times_at_all_are_for_information(make, only) -> None:
    found = only(list(check_times(make([{}, {"start": 1.0}]))), "times.missing")
    assert (found.severity, found.count, found.of) == (Severity.INFO, 2, 2)


time = st.none() | st.integers(0, 4).map(float)
turns = st.lists(st.tuples(st.integers(0, 2), time, time), min_size=1, max_size=12)


@given(turns)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_are_those_of_a_plain_loop(make, drawn: list[tuple[int, float | None, float | None]]) -> None:
    drawn = sorted(drawn, key=lambda turn: turn[0])
    rows = [{"dialogue_id": f"d{one}", "start": start, "end": end} for one, start, end in drawn]
    overlaps = sum(
        first[0] == second[0] and None not in (first[2], second[1]) and second[1] < first[2]
        for first, second in pairwise(drawn)
    )
    backwards = sum(None not in turn and turn[2] <= turn[1] for turn in drawn)
    found = {one.check: one.count for one in check_times(make(rows))}
    if all(None in turn for turn in drawn):
        assert found == {"times.missing": len(drawn)}
    else:
        assert found.get("times.overlap", 0) == overlaps
        assert found.get("times.not_after_start", 0) == backwards
