"""The part of the ``annotation`` command that works with a Label Studio server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from schemas.command_line import JsonOption, ProjectOption, application, console, print_json

Word = TypeVar("Word", bound=StrEnum)

adjudicate = application("Send disagreements to an adjudicator, and take the decisions back.")


def _tell(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _tell_beside(line: str) -> None:
    """Tell progress where stdout is one JSON document."""
    Console(stderr=True).print(line, highlight=False, markup=False, soft_wrap=True)


def _teller(as_json: bool) -> Callable[[str], None]:
    return _tell_beside if as_json else _tell


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        _tell(line)


def serve(
    project: ProjectOption = Path(),
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to others.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8080,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="AFFECT_CORPUS_DATABASE_URL", help="An existing PostgreSQL: from six raters on."),
    ] = None,
    backup: Annotated[Path | None, typer.Option(help="Write a backup to this file instead.")] = None,
    restore: Annotated[Path | None, typer.Option(help="Put a backup back instead.")] = None,
) -> None:
    """Run the project's own Label Studio until Ctrl-C."""
    from annotation import backup as backups
    from annotation.server import serve as run
    from schemas.errors import InputError
    from schemas.project import Project

    found = Project(project)
    if backup is not None and restore is not None:
        raise InputError("one of --backup and --restore is expected, not both")
    if backup is not None:
        backups.back_up(found, backup, tell=_tell)
        _tell(f"wrote {backup}")
    elif restore is not None:
        backups.restore(found, restore)
        _tell(f"restored {restore}; 'annotation pull' brings the ratings back to it")
    else:
        run(found, host=host, port=port, database_url=database_url, tell=_tell)


def setup(
    round_name: Annotated[str, typer.Option("--round", help="Name of the round.")],
    project: ProjectOption = Path(),
    k: Annotated[int, typer.Option("-k", min=1, help="Raters of each dialogue.")] = 3,
    repeats: Annotated[float, typer.Option(min=0, max=0.5, help="Share met a second time.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    design: Annotated[str, typer.Option(help="What a page shows: utterance or dialogue.")] = "utterance",
    condition: Annotated[str, typer.Option(help="What raters get: full, text, audio or video.")] = "full",
    context: Annotated[str, typer.Option(help="How much of the dialogue: past or full.")] = "past",
    where: Annotated[list[str] | None, typer.Option(help="Only dialogues with COLUMN=VALUE.")] = None,
    dialogues: Annotated[int | None, typer.Option(min=1, help="The most dialogues to take.")] = None,
    again: Annotated[str | None, typer.Option(help="An earlier round to take up.")] = None,
    share: Annotated[float, typer.Option(min=0, max=1, help="With --again: the share of it.")] = 1.0,
    changed: Annotated[bool, typer.Option("--changed", help="With --again: changed fields only.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Set up a round: accounts, assignment, a Label Studio project for every rater."""
    from annotation.sheet import Design
    from annotation.workflow import Plan, set_up
    from annotation.workflow_text import set_up_lines
    from schemas.project import Project
    from schemas.records import Condition, Context

    plan = Plan(
        name=round_name,
        k=k,
        repeats=repeats,
        seed=seed,
        design=_one_of(Design, design, "--design"),
        condition=_one_of(Condition, condition, "--condition"),
        context=_one_of(Context, context, "--context"),
        where=tuple(where or ()),
        most=dialogues,
        again=again,
        share=share,
        changed=changed,
    )
    found = set_up(Project(project), plan, tell=_teller(as_json))
    if as_json:
        print_json(dataclasses.asdict(found))
        return
    _say(set_up_lines(found))
    _say(f"note: {notice}" for notice in found.notices)


def _one_of(kind: type[Word], text: str, option: str) -> Word:
    """Read a word of a closed vocabulary."""
    from schemas.errors import InputError, Issue

    words = list(kind)
    if text not in words:
        raise InputError(Issue("unknown word", option, value=text, choices=words))
    return kind(text)


def push(
    project: ProjectOption = Path(),
    round_name: Annotated[str | None, typer.Option("--round", help="By default every round.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="A table of pre-annotations.")] = None,
    zone: Annotated[str, typer.Option(help="Time zone of the raters' days, for daily_limit.")] = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Push the tasks that a server lacks; of a round with a daily_limit one day's work."""
    from annotation.pushing import push as push_tasks
    from annotation.workflow_text import push_lines
    from schemas.project import Project

    tell = _teller(as_json)
    found = push_tasks(Project(project), round_name, predictions=predictions, zone=zone, tell=tell)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    _say(push_lines(found))


def pull(
    files: Annotated[list[Path] | None, typer.Argument(help="Exported JSON instead of a server.")] = None,
    project: ProjectOption = Path(),
    watch: Annotated[bool, typer.Option("--watch", help="Pull again and again until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=1, help="With --watch: seconds between pulls.")] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Pull new and changed ratings into annotations/label-studio.parquet."""
    from annotation import pulling
    from annotation.progress_page import write_status
    from annotation.workflow_text import pull_lines
    from schemas.errors import InputError
    from schemas.project import Project

    if watch and (files or as_json):
        raise InputError("--watch polls a server and prints for people: without files, without --json")
    found = Project(project)

    def show(pulled: pulling.Pulled) -> None:
        _say(pull_lines(pulled))
        if pulled.wrote:
            write_status(found)

    if watch:
        pulling.watch(found, every=every, after=show, tell=_tell)
        return
    pulled = pulling.pull(found, tuple(files or ()), tell=_teller(as_json))
    if as_json:
        print_json(dataclasses.asdict(pulled))
        return
    _say(pull_lines(pulled))


def qualify(
    project: ProjectOption = Path(),
    override: Annotated[
        str | None, typer.Option(metavar="RATER", help="Let a rater into main rounds all the same.")
    ] = None,
    why: Annotated[str, typer.Option(help="With --override: the reason, which is recorded.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Score the training rounds against the answer key, and give raters feedback."""
    from annotation import qualification, qualification_report
    from schemas.errors import InputError
    from schemas.project import Project

    found, tell = Project(project), _teller(as_json)
    if why and override is None:
        raise InputError("--why is the reason of an override: --override RATER --why REASON")
    if override is not None:
        qualification.override(found, override, why, tell=tell)
    report = qualification_report.qualify(found, tell=tell)
    if as_json:
        print_json(report.to_dict())
        return
    console.print(report.table())
    _say(report.lines())


def status(
    project: ProjectOption = Path(),
    zone: Annotated[str, typer.Option(help="Time zone of the days, such as Asia/Shanghai.")] = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Show who has done what and where raters differ; writes a page under reports/."""
    from annotation.progress_page import write_status
    from annotation.progress_text import status_parts
    from schemas.project import Project

    found = write_status(Project(project), zone)
    if as_json:
        print_json(found.to_dict())
        return
    for part in status_parts(found):
        console.print(part)


@adjudicate.command("push")
def adjudicate_push(
    project: ProjectOption = Path(),
    min_agreement: Annotated[
        float | None, typer.Option(min=0, max=1, help="Send items whose raters agree less, too.")
    ] = None,
    condition: Annotated[
        str, typer.Option(help="What adjudicators get: full, text, audio or video.")
    ] = "full",
    as_json: JsonOption = False,
) -> None:
    """Send the undecided utterances with every rater's answer."""
    from annotation.adjudication import push_disagreements
    from annotation.workflow_text import sent_lines
    from schemas.project import Project
    from schemas.records import Condition

    sent = push_disagreements(
        Project(project),
        min_agreement=min_agreement,
        condition=_one_of(Condition, condition, "--condition"),
        tell=_teller(as_json),
    )
    if as_json:
        print_json(dataclasses.asdict(sent))
        return
    _say(sent_lines(sent))


@adjudicate.command("pull")
def adjudicate_pull(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Take the decisions back; ratings are never overwritten."""
    from annotation.adjudication import pull_decisions
    from annotation.workflow_text import decided_lines
    from schemas.project import Project

    decided = pull_decisions(Project(project), tell=_teller(as_json))
    if as_json:
        print_json(dataclasses.asdict(decided))
        return
    _say(decided_lines(decided))


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to ``annotation``, in the order in which they are used."""
    for command in (serve, setup, push, pull, qualify, status):
        app.command()(command)
    app.add_typer(adjudicate, name="adjudicate")
