from __future__ import annotations

from corpus.checks import Severity
from corpus.checks.quarantine import check_quarantine


def test_without_a_quarantine_there_is_nothing_to_say(make) -> None:
    assert list(check_quarantine(make())) == []
    assert list(check_quarantine(make(quarantine=[]))) == []


def test_cells_are_summed_up_by_column_and_reason(make) -> None:
    spelling = {"column": "emotion", "action": "value respelled", "reason": "another spelling of a value"}
    bad = {"column": "emotion", "reason": "not a value of the field"}
    quarantine = [
        *[{"action": "row set apart", "reason": "blank row"}] * 3,
        {"action": "row set apart", "reason": "no text", "original": ""},
        *[{**spelling, "original": "digust"}] * 2,
        {**bad, "original": "happy"},
        *[{**bad, "original": "glad"}] * 4,
        {"column": "start", "reason": "unparsable time", "original": "0:0"},
        {"column": "end", "reason": "unparsable time", "original": ">1"},
    ]
    found = [
        (one.check, one.severity, one.subject, one.count, one.examples)
        for one in check_quarantine(make(quarantine=quarantine))
    ]
    info, warning = Severity.INFO, Severity.WARNING
    assert sorted(found, key=str) == [
        ("quarantine.cell", info, "emotion", 2, ("'digust' (2)",)),
        ("quarantine.cell", warning, "emotion", 5, ("'glad' (4)", "'happy' (1)")),
        ("quarantine.cell", warning, "time", 2, ("'0:0' (1)", "'>1' (1)")),
        ("quarantine.row", info, None, 3, ()),
        ("quarantine.row", warning, None, 1, ()),
    ]
