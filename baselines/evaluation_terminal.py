"""One evaluation in the terminal: the model beside the floors, people, and the best possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich import box
from rich.markup import escape
from rich.table import Table

from baselines.comparison import SHOWN, Estimate, Note
from baselines.comparison_terminal import short_interval
from baselines.comparison_text import METRICS, note_text
from baselines.epochs import EpochReport
from baselines.evaluation import Evaluation
from baselines.metrics import Score


def evaluation_lines(found: Evaluation | EpochReport) -> Iterator[Table | str]:
    """Give what is printed, in order: texts with markup, and tables."""
    yield from _epochs(found) if isinstance(found, EpochReport) else _evaluation(found)


def _evaluation(found: Evaluation) -> Iterator[Table | str]:
    for one in found.warnings:
        yield f"[yellow]{escape(note_text(Note(one.what, found.model, one.model, one.raters)))}[/]"
    if found.trained_on not in (None, found.dataset):
        yield f"[yellow]{escape(note_text(Note('other_data', found.model)))}[/]"
    if found.ignored_columns:
        yield f"[yellow]columns that were not read:[/] {escape(', '.join(found.ignored_columns))}"
    yield _scores(found)
    reasons = [
        (name, score.reason)
        for name, one in found.fields.items()
        for score in one.metrics.values()
        if score.value is None
    ]
    for name, reason in dict.fromkeys(reasons):
        yield f"[dim]{escape(f'{name}: {reason}')}[/]"
    yield from (f"[yellow]no {name}:[/] {escape(why)}" for name, why in found.no_floors.items())
    designs = [one.design for one in found.ceiling.values() if one.design is not None]
    if any(one.simulated for one in designs):
        yield f"[yellow]{escape(note_text(Note('simulated')))}[/]"
    if found.cost.latency is not None:
        size = "" if found.cost.parameters is None else f"{found.cost.parameters:,} parameters, "
        dialogues = f"median of {found.cost.latency.dialogues} dialogues, one thread"
        yield f"{size}{found.cost.latency.median:.3f} ms an utterance ({dialogues})"


def _scores(found: Evaluation) -> Table:
    """A row a metric; the floors, people and bounds beside the model."""
    title = f"{found.model} on {found.utterances:,} utterances, {found.protocol}"
    table = Table(
        title=escape(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    people = any(one.human for one in found.ceiling.values())
    best = ("text", "all") if found.best_possible else ()
    others = [*found.floors, *(["human ceiling"] if people else []), *(f"best from {one}" for one in best)]
    table.add_column("", no_wrap=True)
    table.add_column(escape(found.model), justify="right", overflow="fold", min_width=7)
    table.add_column("95%\ninterval", justify="right", no_wrap=True)
    for head in others:
        table.add_column(escape(head), justify="right", overflow="fold", min_width=5)
    for name, one in found.fields.items():
        labels = f"{one.utterances:,} labels"
        table.add_row(f"[bold]{escape(name)}[/]\n[dim]{labels}[/]")
        for metric in (*SHOWN[one.type], *(["ece"] if "ece" in one.metrics else [])):
            score = one.metrics[metric]
            cells = [_value(floor.fields[name].metrics, metric) for floor in found.floors.values()]
            if people:
                cells.append(_value(found.ceiling[name].human, metric))
            bounds = found.best_possible.get(name, {}).get(metric, {})
            cells += [f"{bounds[seen]:.3f}" if bounds else "" for seen in best]
            interval = short_interval(Estimate(score.value, None, score.low, score.high))
            table.add_row(f"  {METRICS[metric].en}", _number(score.value), interval, *cells)
    return table


def _value(scores: Mapping[str, Score], metric: str) -> str:
    return _number(scores[metric].value) if metric in scores else ""


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _epochs(found: EpochReport) -> Iterator[Table | str]:
    title = f"{found.model}, seed {found.seed}: choice of the epoch"
    table = Table("field", title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for head in (f"epoch {found.chosen}, chosen on validation", "chosen on test", "gap"):
        table.add_column(head, justify="right")
    for name, one in {**found.fields, "mean of the fields": found.mean}.items():
        table.add_row(escape(name), f"{one.honest:.3f}", f"{one.dishonest:.3f}", f"{one.gap:+.3f}")
    yield table
    yield "[dim]Headline metrics on test. What the choice on test gains is not real.[/]"
