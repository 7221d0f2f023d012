"""Push and pull against the bare REST calls that move the same data, with a real Label Studio.

    python benchmarks/label_studio.py [--tasks 5000] [--times 2]

Limits: push <= 2 x, pull <= 1.3 x the bare calls, a pull with nothing new <= 2 s. Each of three raters gets
all tasks and has rated all of them. Ours and the bare calls take turns, and each is first every other time;
the ratio is the median of those of the pairs. That both moved the same data is checked, outside of what is
timed. The corpus is drawn at random and the answers are made up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from annotation import pulled, roster, server
from annotation.client import OWN, Client
from annotation.predictions import selections
from annotation.pulled_table import TABLE
from annotation.pulling import pull
from annotation.pushing import BATCH, Clips, push, tasks_of
from annotation.rounds import Round, schema_of
from annotation.sheet import Design
from annotation.tasks import read_dialogues
from annotation.workflow import Plan, set_up
from schemas import records
from schemas.project import Project
from schemas.records import Condition, Context
from schemas.sampling import draw_corpus
from schemas.tables import write_table

TURNS = 10
RATERS = 3
LIMITS = {"push": 2.0, "pull": 1.3}
NOTHING_NEW = 2.0  # seconds
PATIENCE = 900.0  # seconds that a request may take, on a busy machine

Pairs = list[tuple[float, float]]
"""Seconds of the bare calls and of ours, pair by pair."""


def make_project(folder: Path, dialogues: int) -> Project:
    """Make a project of dialogues of ten turns with three raters."""
    project = Project.create(folder)
    words = draw_corpus(project.schema, 20, seed=1, languages=("en",), raters=0)["utterances.parquet"]
    texts = words.column("text").to_pylist()
    rows = [
        {
            "utterance_id": f"d{dialogue}_{turn}",
            "dialogue_id": f"d{dialogue}",
            "index": turn,
            "text": texts[(dialogue * TURNS + turn) % len(texts)],
            "text_original": texts[(dialogue * TURNS + turn) % len(texts)],
            "context_only": False,
        }
        for dialogue in range(dialogues)
        for turn in range(TURNS)
    ]
    about = [{"dialogue_id": f"d{one}", "source": "simulated", "language": "en"} for one in range(dialogues)]
    for name, content, arrow in (
        ("utterances.parquet", rows, records.UTTERANCES),
        ("dialogues.parquet", about, records.DIALOGUES),
    ):
        write_table(folder / name, pa.Table.from_pylist(content, arrow), arrow)
    people = "raters:\n" + "".join(f"  k{n}: {{name: N{n}}}\n" for n in range(RATERS))
    roster.write_private(project.path(roster.ROSTER), people)
    return project


def digest(annotation: dict[str, Any]) -> tuple[str, str]:
    """Return by what an annotation is known, and a digest of what it says."""
    said = json.dumps(annotation["result"], sort_keys=True).encode()
    return annotation["unique_id"], hashlib.sha256(said).hexdigest()


def seconds(step: Callable[[], object]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def in_turns(times: int, bare: Callable[[int], float], ours: Callable[[int], float], say) -> Pairs:
    """Time the bare calls and ours in turns, each first every other time."""
    found = []
    for turn in range(times):
        say(f"{turn + 1} of {times}")
        if turn % 2:
            mine = ours(turn)
            found.append((bare(turn), mine))
        else:
            found.append((bare(turn), ours(turn)))
    return found


def annotation(task, schema, drawn, place: int, user: int) -> dict[str, object]:
    """An annotation of a whole dialogue, as its page would export it."""
    regions = task["predictions"][0]["result"]
    result = []
    for turn, region in enumerate(regions):
        result.append(region)
        for name, aliases in selections(drawn[(place * TURNS + turn) % len(drawn)], schema).items():
            value = {**{key: region["value"][key] for key in ("start", "end")}, "choices": list(aliases)}
            result.append(
                {
                    "id": region["id"],
                    "from_name": name,
                    "to_name": "transcript",
                    "type": "choices",
                    "value": value,
                }
            )
    return {"completed_by": user, "result": result, "lead_time": 60.0}


class Bench:
    """A project, its server, and the bare calls beside it."""

    def __init__(self, project: Project, url: str, times: int, say) -> None:
        self.project, self.times, self.say = project, times, say
        token = server.read_credentials(project).token
        self.client = Client(url, token, timeout=PATIENCE, name=OWN)
        key = {"Authorization": f"Token {token}"}
        self.bare = httpx.Client(base_url=url, headers=key, timeout=PATIENCE)
        self.dialogues = {one.dialogue_id: one for one in read_dialogues(project)}
        self.plan = Plan("", k=RATERS, condition=Condition.TEXT, design=Design.DIALOGUE, context=Context.FULL)

    def round(self, name: str) -> Round:
        """Set up a round."""
        return set_up(self.project, replace(self.plan, name=name)).round

    def tasks(self, made: Round, rater: str) -> list[dict[str, Any]]:
        """Make the tasks of a rater."""
        return [make() for _, make in tasks_of(made, rater, self.dialogues, Clips(self.project))]

    def pushes(self) -> Pairs:
        """Push to new projects."""
        made_of: dict[str, Round] = {}

        def bare(turn: int) -> float:
            made = made_of["bare"] = self.round(f"bare{turn}")
            lots = {made.projects[rater]: self.tasks(made, rater) for rater in made.queues}

            def step() -> None:
                for number, lot in lots.items():
                    for first in range(0, len(lot), BATCH):
                        body = lot[first : first + BATCH]
                        self.bare.post(f"/api/projects/{number}/import", json=body).raise_for_status()

            return seconds(step)

        def ours(turn: int) -> float:
            made = made_of["ours"] = self.round(f"push{turn}")
            return seconds(lambda: push(self.project, made.name, client=self.client))

        pairs = in_turns(self.times, bare, ours, lambda turn: self.say(f"pushing, {turn}"))
        self.say("comparing what was pushed")
        theirs, mine = (self.pushed(made_of[name]) for name in ("bare", "ours"))
        if theirs != mine:
            raise RuntimeError("the bare calls pushed other tasks than ours")
        return pairs

    def pushed(self, made: Round) -> list[object]:
        """Return what stands in the projects of a round: numbers, and the first tasks but for the round."""
        found: list[object] = []
        for number in made.projects.values():
            about = self.client.project(number)
            found.append((about["task_number"], about["total_predictions_number"]))
            data = [task["data"] for task in next(self.client.pages(number))]
            own = ("round", "key")
            found.append([{key: value for key, value in one.items() if key not in own} for one in data])
        return found

    def push_again(self) -> float:
        """Push what stands there already."""
        self.say("pushing again, nothing new")
        return seconds(lambda: push(self.project, "push0", client=self.client))

    def annotate(self) -> list[int]:
        """Make a round that is rated; return the numbers of its projects. Other rounds are forgotten."""
        for path in self.project.path("private/rounds").glob("*.json"):
            path.unlink()
        self.say("making annotations")
        made = self.round("pull")
        schema = schema_of(self.project, made)
        accounts = roster.read_accounts(self.project)
        users = {name: number for number, name in accounts.pseudonym_of_user(OWN).items()}
        drawn = draw_corpus(schema, 4, seed=7, raters=1)["annotations/simulated.parquet"].to_pylist()
        for rater, number in made.projects.items():
            lot = self.tasks(made, rater)
            for first in range(0, len(lot), BATCH):
                body = lot[first : first + BATCH]
                for place, task in enumerate(body, first):
                    task["annotations"] = [annotation(task, schema, drawn, place, users[rater])]
                self.client.import_tasks(number, body)
        return list(made.projects.values())

    def pulls(self, numbers: list[int]) -> Pairs:
        """Pull all ratings, each time as if for the first time."""
        parameters = {"exportType": "JSON", "download_all_tasks": "true"}
        theirs: dict[str, str] = {}

        def bare(_turn: int) -> float:
            taken = 0.0
            for number in numbers:
                tasks: list[dict[str, Any]] = []

                def step(number: int = number, tasks: list[dict[str, Any]] = tasks) -> None:
                    answer = self.bare.get(f"/api/projects/{number}/export", params=parameters)
                    tasks += json.loads(answer.raise_for_status().content)

                taken += seconds(step)
                theirs.update(digest(one) for task in tasks for one in task["annotations"])
            return taken

        def ours(_turn: int) -> float:
            shutil.rmtree(self.project.path(pulled.FOLDER), ignore_errors=True)
            self.project.path(TABLE).unlink(missing_ok=True)
            found = []
            taken = seconds(lambda: found.append(pull(self.project, client=self.client)))
            [one] = found
            if one.quarantined or one.faults:
                raise RuntimeError(f"{one.quarantined} quarantined, {len(one.faults)} faults")
            return taken

        pairs = in_turns(self.times, bare, ours, lambda turn: self.say(f"pulling, {turn}"))
        self.say("comparing what was pulled")
        mine = dict(digest(one["annotation"]) for one in pulled.read_journal(self.project))
        if theirs != mine or len(mine) != RATERS * len(self.dialogues):
            raise RuntimeError(f"the bare calls gave {len(theirs)} annotations, ours {len(mine)} or others")
        return pairs

    def pull_again(self) -> float:
        """Pull when nothing is new; the slowest of some."""
        self.say("pulling again, nothing new")
        return max(seconds(lambda: pull(self.project, client=self.client)) for _ in range(self.times))


def main() -> int:
    """Measure and print; exit status 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--times", type=int, default=2, help="pairs of ours and the bare calls")
    arguments = parser.parse_args()
    console = Console()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch, console.status("preparing") as status:

        def say(step: str) -> None:
            status.update(step)
            if not console.is_terminal:
                print(f"{time.strftime('%H:%M:%S')} {step}", file=sys.stderr, flush=True)

        project = make_project(Path(scratch) / "p", arguments.tasks)
        with server.running(project, port=port, tell=say) as running:
            bench = Bench(project, running.url, arguments.times, say)
            pairs = {"push": bench.pushes()}
            again = {"push": bench.push_again()}
            numbers = bench.annotate()
            pairs["pull"] = bench.pulls(numbers)
            again["pull"] = bench.pull_again()
    table = Table(title=f"{arguments.tasks:,} tasks of {TURNS} turns, {RATERS} raters")
    for head in ("step", "seconds", "bare calls", "ratios", "ratio", "limit", ""):
        table.add_column(head, justify="left" if head == "step" else "right")
    missed = again["pull"] > NOTHING_NEW
    words = {True: "MISSED", False: "met"}
    for step, limit in LIMITS.items():
        bare, ours = (median(one) for one in zip(*pairs[step], strict=True))
        ratios = [mine / theirs for theirs, mine in pairs[step]]
        ratio = median(ratios)
        missed |= ratio > limit
        each = " ".join(f"{one:.2f}" for one in ratios)
        verdict = words[ratio > limit]
        table.add_row(step, f"{ours:.1f}", f"{bare:.1f}", each, f"{ratio:.2f}", f"{limit:g}", verdict)
    for step, taken in again.items():
        limit = f"{NOTHING_NEW:g} s" if step == "pull" else ""
        verdict = words[taken > NOTHING_NEW] if step == "pull" else ""
        table.add_row(f"{step}, nothing new", f"{taken:.2f}", "", "", "", limit, verdict)
    console.print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
