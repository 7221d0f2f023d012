"""The next item is made while one is used, and nobody waits for one that is not wanted any more."""

from __future__ import annotations

import threading

import pytest

from annotation.ahead import ahead


def test_items_come_in_order_and_one_is_made_ahead():
    made = []

    def items():
        for one in range(5):
            made.append(one)
            yield one

    for place, one in enumerate(ahead(items())):
        assert one == place
        assert len(made) <= place + 2
    assert made == list(range(5))


def test_what_making_an_item_raises_is_raised_in_its_place():
    def items():
        yield 1
        raise ValueError("the second")

    some = ahead(items())
    assert next(some) == 1
    with pytest.raises(ValueError, match="the second"):
        next(some)


def test_whoever_stops_does_not_wait_for_the_next_item():
    """As after Ctrl-C, while the server does not answer."""
    answer, waited = threading.Event(), []

    def items():
        yield 1
        waited.append(answer.wait(20))
        yield 2

    some = ahead(items())
    assert next(some) == 1
    some.close()
    assert waited == []
    answer.set()
