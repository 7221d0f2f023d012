"""What a model saw against what raters saw; hidden modalities; costs."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from baselines.cost import count_parameters, measure_latency, seconds_per_epoch
from baselines.features import Features
from baselines.modalities import RATES, ablate, hide
from baselines.ratings import Ratings
from baselines.seen import Beyond, Seen, beyond_raters, seen_by


def shown(conditions, contexts):
    nothing = np.zeros(0, int)
    return Ratings(nothing, nothing, (), {}, conditions, contexts, 0, False)


def test_a_config_tells_streams_and_context():
    found = seen_by({"streams": {"text": {}, "audio-egemaps": {}}, "context": "both", "width": 3})
    assert found == Seen(("text", "audio-egemaps"), "whole", ("text", "audio"))
    assert seen_by({"context": "past"}).context == "past"
    assert seen_by({"fields": ["emotion"]}) == Seen(None, None)


def test_streams_are_known_by_what_they_show_and_not_by_their_name():
    streams = {
        "text": {"kind": "ngrams"},
        "text encoder": {"kind": "text-encoder"},
        "audio encoder": {"kind": "sound-encoder"},
        "mfcc": {"kind": "features", "made_by": {"modality": "audio"}},
        "openface": {"kind": "features", "made_by": {"modality": "faces"}},
        "whatever": {"kind": "features", "made_by": {}},
    }
    found = seen_by({"streams": streams, "context": "past"})
    assert found.modalities == ("text", "audio", "mfcc", "openface", "whatever")
    assert found.kinds == ("text", "audio", "video")


def saw(names, context):
    return seen_by({"streams": {one: {} for one in names}, "context": context})


@pytest.mark.parametrize(
    ("seen", "ratings", "expected"),
    [
        (saw(("text",), "both"), shown(("full",), ("past",)), ["turns_to_come"]),
        (saw(("text",), "both"), shown((None,), ("full", "past")), ["turns_to_come_for_some"]),
        (saw(("text",), "both"), shown(("full",), ("full",)), []),
        (saw(("text",), "past"), shown(("full",), ("past",)), []),
        (saw(("text", "audio-x", "video"), "past"), shown(("text",), ("past",)), ["modalities"]),
        (saw(("text", "audio"), "past"), shown(("audio", "text"), ("past",)), []),
        (saw(("text", "audio"), "both"), shown((None,), (None,)), []),
        (Seen(), shown(("text",), ("past",)), []),
        (saw(("text",), "both"), None, []),
    ],
)
def test_only_what_is_known_is_held_against_a_model(seen, ratings, expected):
    assert [one.what for one in beyond_raters(seen, ratings)] == expected


def test_the_modalities_that_raters_lacked_are_named():
    found = beyond_raters(saw(("text", "audio-x", "video"), "past"), shown(("text",), ("past",)))
    assert found == (Beyond("modalities", ("audio", "video"), ("text",)),)


@pytest.fixture
def split(maker):
    made = maker.split(maker.rows(6))
    values = np.ones((len(made), 2), np.float32)
    audio = Features(values, np.arange(len(made)) % 3 > 0, {})
    return dataclasses.replace(made, features={"audio": audio})


def test_hiding(split):
    words = hide(split, ["text"])
    assert set(words.texts) == {""}
    assert words.features["audio"].present.sum() == split.features["audio"].present.sum()
    sound = hide(split, ["audio"], {"audio": np.arange(len(split)) < 4})
    assert sound.texts == split.texts
    assert not sound.features["audio"].present[:4].any()
    assert (sound.features["audio"].present[4:] == split.features["audio"].present[4:]).all()
    assert not sound.features["audio"].values[:4].any()
    assert split.features["audio"].values.all()  # what was given stays as it was


def test_each_is_left_out_each_alone_and_some_at_random(split):
    def there(one):
        return {"words": sum(map(bool, one.texts)), "sound": int(one.features["audio"].present.sum())}

    found = ablate(split, ("text", "audio"), there)
    assert [one.hidden for one in found[:2]] == [("text",), ("audio",)]
    assert (found[0].metrics["words"], found[1].metrics["sound"]) == (0, 0)
    assert found[0].metrics["sound"] == split.features["audio"].present.sum()
    at_random = [one.metrics["words"] for one in found[2:]]
    assert tuple(one.rate for one in found[2:]) == RATES
    assert at_random == sorted(at_random, reverse=True)
    assert ablate(split, ("text", "audio"), there) == found
    assert ablate(split, ("text",), there) == ()
    three = ablate(split, ("text", "audio", "video"), there)
    assert [one.hidden for one in three[3:6]] == [("audio", "video"), ("text", "video"), ("text", "audio")]


def test_costs(tmp_path, split):
    assert count_parameters(tmp_path) is None
    save_file({"a": np.zeros((3, 4)), "b": np.zeros(5)}, tmp_path / "model.safetensors")
    assert count_parameters(tmp_path) == 17
    assert seconds_per_epoch({"seconds_per_epoch": 2}) == 2.0
    assert seconds_per_epoch({"selection": {}}) is None
    asked = []
    found = measure_latency(lambda part: asked.append(len(part)), split, dialogues=3)
    assert found.dialogues == 3
    assert 0 <= found.median <= found.p95
    assert asked == asked[:3] * 2  # the first round warms up
    json.dumps(dataclasses.asdict(found))
