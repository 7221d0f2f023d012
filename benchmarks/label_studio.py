"""Push and pull against the bare REST calls that move the same data, with a real Label Studio.

    python benchmarks/label_studio.py [--tasks 5000]

Limits: push <= 2 x, pull <= 1.3 x the bare calls, a pull with nothing new <= 2 s. Each of three raters gets
all tasks and has rated all of them. The corpus is drawn at random and the answers are made up.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from annotation import roster, server
from annotation.client import OWN, Client
from annotation.predictions import selections
from annotation.pulling import pull
from annotation.pushing import BATCH, Clips, push, tasks_of
from annotation.rounds import schema_of
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


@contextmanager
def timed(found: dict[str, float], name: str):
    begin = time.perf_counter()
    yield
    found[name] = time.perf_counter() - begin


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


def measure(project: Project, url: str, say) -> dict[str, float]:
    found: dict[str, float] = {}
    client = Client.of(project)
    credentials = server.read_credentials(project)
    bare = httpx.Client(base_url=url, headers={"Authorization": f"Token {credentials.token}"}, timeout=900)
    dialogues = {one.dialogue_id: one for one in read_dialogues(project)}
    plan = Plan("push", k=RATERS, condition=Condition.TEXT, design=Design.DIALOGUE, context=Context.FULL)
    made = set_up(project, plan).round

    say("pushing with bare calls")
    lots = {
        rater: [make() for _, make in tasks_of(made, rater, dialogues, Clips(project))]
        for rater in made.queues
    }
    config = client.project(next(iter(made.projects.values())))["label_config"]
    numbers = [client.create_project(f"bare {rater}", config) for rater in lots]
    with timed(found, "bare push"):
        for number, lot in zip(numbers, lots.values(), strict=True):
            for first in range(0, len(lot), BATCH):
                bare.post(
                    f"/api/projects/{number}/import", json=lot[first : first + BATCH]
                ).raise_for_status()
    say("pushing")
    with timed(found, "push"):
        push(project)
    say("pushing again, nothing new")
    with timed(found, "push again"):
        push(project)
    project.path("private/rounds/push.json").unlink()

    say("making annotations")
    made = set_up(project, replace(plan, name="pull")).round
    schema = schema_of(project, made)
    users = {name: number for number, name in roster.read_accounts(project).pseudonym_of_user(OWN).items()}
    drawn = draw_corpus(schema, 4, seed=7, raters=1)["annotations/simulated.parquet"].to_pylist()
    for rater in made.queues:
        lot = [make() for _, make in tasks_of(made, rater, dialogues, Clips(project))]
        for place, task in enumerate(lot):
            task["annotations"] = [annotation(task, schema, drawn, place, users[rater])]
        for first in range(0, len(lot), BATCH):
            client.import_tasks(made.projects[rater], lot[first : first + BATCH])
    say("pulling with bare calls")
    parameters = {"exportType": "JSON", "download_all_tasks": "true"}
    size = 0
    with timed(found, "bare pull"):
        for number in made.projects.values():
            answer = bare.get(f"/api/projects/{number}/export", params=parameters)
            size += len(json.loads(answer.raise_for_status().content))
    say("pulling")
    with timed(found, "pull"):
        pulled = pull(project)
    if pulled.new != size or pulled.quarantined or pulled.faults:
        raise RuntimeError(f"{pulled.new} of {size} annotations pulled, {pulled.quarantined} quarantined")
    say("pulling again, nothing new")
    with timed(found, "pull again"):
        pull(project)
    return found


def main() -> int:
    """Measure and print; exit status 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=5000)
    tasks = parser.parse_args().tasks
    console = Console()
    named = os.environ.get("AFFECT_CORPUS_LABEL_STUDIO")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch, console.status("preparing") as status:
        project = make_project(Path(scratch) / "p", tasks)
        python = Path(named) / "bin" / "python" if named else None
        with server.running(project, port=port, python=python, tell=status.update) as running:
            found = measure(project, running.url, status.update)
    table = Table(title=f"{tasks:,} tasks of {TURNS} turns, {RATERS} raters")
    for head in ("step", "seconds", "bare calls", "ratio", "limit"):
        table.add_column(head, justify="left" if head == "step" else "right")
    missed = False
    for step, limit in LIMITS.items():
        bare = found[f"bare {step}"]
        ratio = found[step] / bare
        missed |= ratio > limit
        table.add_row(step, f"{found[step]:.1f}", f"{bare:.1f}", f"{ratio:.2f}", f"{limit:g}")
    for step in ("push again", "pull again"):
        limit = f"{NOTHING_NEW:g} s" if step == "pull again" else ""
        table.add_row(f"{step}, nothing new", f"{found[step]:.2f}", "", "", limit)
    missed |= found["pull again"] > NOTHING_NEW
    console.print(table)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
