"""The wording of located faults."""

from __future__ import annotations

import pytest

from schemas import InputError, Issue


@pytest.mark.parametrize(
    ("issue", "text"),
    [
        (Issue("no"), "no"),
        (Issue("no", "a.csv"), "a.csv: no"),
        (Issue("no", "a.yaml", 3), "a.yaml:3: no"),
        (Issue("no", "a.yaml", 3, None, "fields.x"), "a.yaml:3, fields.x: no"),
        (Issue("no", "a.csv", None, 7), "a.csv, row 7: no"),
        (Issue("no", "a.csv", None, 7, "label"), "a.csv, row 7, column 'label': no"),
        (Issue("no", "a.csv", None, 7, "label", "hapy"), "a.csv, row 7, column 'label': no, got 'hapy'"),
        (Issue("no", value=0), "no, got 0"),
        (Issue("no", value=""), "no, got ''"),
        (Issue("no", choices=["a", 1]), "no; valid: a, 1"),
        (
            Issue("no", value="hapy", choices=["sad", "happy"]),
            "no, got 'hapy'; did you mean 'happy'? valid: sad, happy",
        ),
        (Issue("no", row=1, count=1200), "row 1: no (1,200 rows, this is the first)"),
    ],
)
def test_a_fault_says_what_where_and_what_would_have_been_valid(issue: Issue, text: str) -> None:
    assert str(issue) == text


def test_long_lists_and_values_are_cut() -> None:
    choices = [f"value{number}" for number in range(30)]
    text = str(Issue("no", value="value29x", choices=choices))
    assert "did you mean 'value29'?" in text
    assert text.endswith("value19 and 10 more")
    assert "value20" not in text
    assert len(str(Issue("no", value=["x"] * 1000))) < 130
    assert str(Issue("no", value=["x"] * 1000)).endswith("…")


def test_an_error_carries_every_fault() -> None:
    issues = [Issue("one", "a", 1), Issue("two", "a", 2)]
    error = InputError(issue for issue in issues)
    assert error.issues == issues
    assert str(error) == "a:1: one\na:2: two"
    assert InputError("plain").issues == [Issue("plain")]
    assert InputError(issues[0]).issues == issues[:1]
