"""Folds: what is held out is not learnt from, and every utterance is judged once."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.comparison import compare
from baselines.protocols import HeldOut, cross_validate, dialogue_folds, refit_settings, speaker_folds
from baselines.training import train
from schemas.errors import InputError


@settings(deadline=None, max_examples=15)
@given(st.integers(3, 6), st.integers(0, 1000))
def test_every_dialogue_is_held_out_once(maker, number, seed):
    whole = maker.split(maker.rows(13))
    judged = []
    for fold in dialogue_folds(whole, number, seed):
        parts = [set(one.utterance_ids) for one in (fold.train, fold.validation, fold.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(whole) == len(set.union(*parts))
        assert [whole.utterance_ids[row] for row in fold.judged] == fold.test.utterance_ids
        dialogues = [{one.rpartition("_")[0] for one in part} for part in parts]
        assert not dialogues[0] & dialogues[2]
        judged += fold.judged.tolist()
    assert sorted(judged) == list(range(len(whole)))


def speaking(maker, dialogues=11):
    rows = maker.rows(dialogues)
    for number, row in enumerate(rows):
        row["speaker_id"] = None if number % 7 == 6 else f"s{(number * number) % 5}"
    return maker.split(rows)


@pytest.mark.parametrize("number", [None, 2])
def test_what_a_speaker_says_is_context_and_never_a_target(maker, number):
    whole = speaking(maker)
    speakers = sorted({one for one in whole.speakers if one is not None})
    judged = []
    for fold in speaker_folds(whole, number or len(speakers), 0):
        out = {whole.speakers[row] for row in fold.judged}
        assert len(out) == 1 or number
        assert None not in out
        # Their turns stay in training, as context ...
        assert set(fold.train.utterance_ids) | set(fold.validation.utterance_ids) == set(whole.utterance_ids)
        for part in (fold.train, fold.validation):
            mine = np.array([one in out for one in part.speakers])
            for labels in part.labels.values():
                assert not labels.known[mine].any()  # ... and nothing is learnt from them
                assert labels.known[~mine].all()
        # The dialogues that are judged are whole, and only the held out speakers' turns are judged.
        dialogues = {whole.utterance_ids[row].rpartition("_")[0] for row in fold.judged}
        assert set(fold.test.utterance_ids) == {
            one for one in whole.utterance_ids if one.rpartition("_")[0] in dialogues
        }
        assert [fold.test.utterance_ids[row] for row in fold.within] == [
            whole.utterance_ids[row] for row in fold.judged
        ]
        judged += fold.judged.tolist()
    assert sorted(judged) == [row for row, one in enumerate(whole.speakers) if one is not None]


@pytest.mark.parametrize("held_out", list(HeldOut))
def test_a_run_is_cross_validated_and_compared(maker, tiny, tmp_path, cache, held_out):
    train("majority", tiny, tmp_path / "run", cache_dir=cache)
    folds = 3 if held_out is HeldOut.DIALOGUE else None
    found = cross_validate(tmp_path / "run", tiny, held_out, folds, n_boot=20, cache_dir=cache)
    assert found.utterances == sum(len(maker.rows(one)) for one in (24, 8, 9))
    assert list(found.floors) == ["tfidf-logistic"]
    assert found.floors["tfidf-logistic"].fields["emotion"].metrics["macro_f1"].value > 0.9
    assert found.fields["emotion"].metrics["macro_f1"].value < 0.4
    name = "dialogue-3" if folds else "speaker"
    folder = tmp_path / "run" / "cross-validation" / name
    assert json.loads((folder / "evaluation.json").read_text("utf-8"))["protocol"] == found.protocol
    assert ("3-fold" if folds else "leave one speaker out, 2 speakers") in found.protocol
    assert compare([folder], n_boot=10, n_permutations=20).protocol == found.protocol


def test_faults(tiny, tmp_path, cache):
    train("majority", tiny, tmp_path / "run", cache_dir=cache)
    for held_out, folds in ((HeldOut.DIALOGUE, 2), (HeldOut.DIALOGUE, 1000), (HeldOut.SPEAKER, 3)):
        with pytest.raises(InputError) as caught:
            cross_validate(tmp_path / "run", tiny, held_out, folds, cache_dir=cache)
        assert caught.value.issues[0].column == "--folds"


def test_labels_of_the_held_out_never_reach_a_training(maker, monkeypatch):
    # A speaker with a label of their own: whoever learnt it would say it.
    rows = maker.rows(9)
    for row in rows:
        row["speaker_id"] = f"s{row['index'] % 2}"
        row["emotion"] = "anger" if row["index"] % 2 else "joy"
    whole = maker.split(rows)
    for fold in speaker_folds(whole, 2, 0):
        labels = [dataclasses.asdict(fold.train.labels["emotion"]), fold.train.labels["emotion"]]
        learnt = set(labels[1].values[labels[1].known].tolist())
        assert learnt == {1} or learnt == {2}
        assert learnt.isdisjoint(whole.labels["emotion"].values[fold.judged].tolist())


def test_settings_of_a_saved_model_are_taken_again():
    assert refit_settings({"model_type": "majority", "fields": []}) == {}
    torch = pytest.importorskip("torch")
    assert torch
    config = {"model_type": "context-fusion", "width": 64, "training": {"epochs": 3}, "seed": 5}
    found = refit_settings(config)
    assert (found["width"], found["epochs"]) == (64, 3)
    assert "seed" not in found
