"""Trainings in processes of their own: killed for good, and several at once as torchrun starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baselines.models import load_model
from baselines.runs import TRAINING, new_run
from schemas.errors import InputError
from tests.baselines.neural import QUICK

SETTINGS = [part for name, value in {**QUICK, "epochs": 6}.items() for part in ("--set", f"{name}={value}")]
COMMAND = [str(Path(sys.executable).with_name("baselines")), "train", "lmf"]


@pytest.fixture
def environment(tmp_path):
    away = {"HF_DATASETS_CACHE": str(tmp_path / "datasets"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return {**os.environ, **away}


def content(out):
    """Return what a training left, but for how long it took."""
    report = json.loads((out / TRAINING).read_text("utf-8"))
    report.pop("seconds_per_epoch")
    return (out / "model.safetensors").read_bytes(), (out / "config.json").read_text("utf-8"), report


def test_seeds_that_were_killed_go_on_to_the_same_result(tiny, tmp_path, environment):
    def command(out):
        return [*COMMAND, str(tiny), "--out", str(tmp_path / out), "--seeds", "2", *SETTINGS]

    subprocess.run(command("undisturbed"), env=environment, check=True, capture_output=True)
    process = subprocess.Popen(command("killed"), env=environment, stderr=subprocess.DEVNULL)
    second = tmp_path / "killed" / ".seed-1-unfinished"
    while process.poll() is None and not any(second.glob("checkpoint-*/complete.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert any(second.glob("checkpoint-*"))
    assert not (tmp_path / "killed" / "seed-1").exists()
    subprocess.run(command("killed"), env=environment, check=True, capture_output=True)
    for seed in ("seed-0", "seed-1"):
        assert content(tmp_path / "killed" / seed) == content(tmp_path / "undisturbed" / seed)
    assert sorted(one.name for one in (tmp_path / "killed").iterdir()) == ["seed-0", "seed-1"]


def test_two_processes_train_one_model(tiny, tmp_path, environment, maker):
    torchrun = str(Path(sys.executable).with_name("torchrun"))
    start = [torchrun, "--nproc-per-node", "2", "--no-python", *COMMAND, str(tiny)]
    made = [*start, "--out", str(tmp_path / "run"), "--json", *SETTINGS]
    found = subprocess.run(made, env=environment, check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    assert json.loads(found.stdout)["run"] == str(tmp_path / "run")  # said once
    assert sorted(one.name for one in tmp_path.iterdir() if "run" in one.name) == ["run"]
    assert {TRAINING, "config.json"} <= {one.name for one in (tmp_path / "run").iterdir()}
    reached = [one["selection"] for one in content(tmp_path / "run")[2]["selection"]["epochs"]]
    assert len(reached) == 6
    assert reached[-1] > reached[0]
    assert set(load_model(tmp_path / "run").config.metrics) == set(maker.fields)


def test_a_run_is_made_by_one_command_at_a_time(tmp_path):
    with new_run(tmp_path / "run") as folder:
        (folder / "first").touch()
        with pytest.raises(InputError, match="another command"), new_run(tmp_path / "run"):
            pass
    assert [one.name for one in tmp_path.rglob("*")] == ["run", "first"]
