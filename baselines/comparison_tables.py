"""A comparison as tables of estimates, whoever shows them: the terminal, LaTeX or a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from baselines.comparison import Comparison, Estimate, PairedTest, Row
from baselines.comparison_text import metric_in, say_in
from baselines.groups import MODEL, Group
from baselines.metrics import HEADLINE
from baselines.scoring import CALIBRATION, LABELS, RATINGS, SOFT

Cell = str | float | Estimate | None


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        key: What it is about, in `baselines.comparison_text.WORDS`.
        title: Its title.
        columns: Heads; the first column names the rows.
        rows: A cell a column.
        note: What its numbers are; the same for all tables of a key.
        about: What must be known of this one.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    about: str = ""


def tables(comparison: Comparison, language: str = "en") -> list[Table]:
    """Return all tables of a comparison; those without anything to show are left out.

    Args:
        comparison: The comparison.
        language: ``en`` or ``zh``.
    """
    made = _Tables(comparison, language)
    found = [
        made.models(),
        *made.results(),
        made.multitask(),
        made.tests(),
        made.soft(),
        *made.single_ratings(),
        *made.ceilings(),
        made.hidden(),
        made.epochs(),
    ]
    return [one for one in found if one.rows]


class _Tables:
    """Makes the tables of one comparison in one language."""

    def __init__(self, comparison: Comparison, language: str) -> None:
        self.comparison = comparison
        self.language = language
        self.say = say_in(language)
        self.metric = metric_in(language)

    def title(self, field: str) -> str:
        """Return how a field is called."""
        return f"{self.comparison.schema[field].title.get(self.language)} ({field})"

    def short(self, field: str) -> str:
        """Return how a field is called in a cell."""
        return field if self.language == "en" else self.comparison.schema[field].title.get(self.language)

    def models(self) -> Table:
        """What the models are and cost."""
        say = self.say
        rows = []
        for group in self.comparison.groups:
            seen = group.contents[0]["seen"]
            streams = "" if seen["modalities"] is None else " + ".join(seen["modalities"])
            context = "" if seen["context"] is None else say(seen["context"])
            kind = "" if group.kind == MODEL else say(group.kind)
            rows.append(
                (
                    group.name,
                    kind,
                    ", ".join(str(one) for one in group.seeds if one is not None),
                    streams,
                    context,
                    *(_number(_cost(group, name), form) for name, form in _COSTS.items()),
                )
            )
        heads = ("model", "kind", "seeds", "sees", "context", *_COSTS)
        return Table("models", say("models"), tuple(map(say, heads)), tuple(rows), say("models_note"))

    def results(self) -> Iterator[Table]:
        """The metrics of every field, against decided labels."""
        for field in self.comparison.schema:
            rows = self._rows(field.name, LABELS, CALIBRATION)
            if rows:
                yield self._by_model("results", field.name, rows, self._results_note())

    def _rows(self, field: str, *kinds: str) -> list[Row]:
        return [one for one in self.comparison.rows if one.field == field and one.kind in kinds]

    def _results_note(self) -> str:
        notes = [self.say("results_note", n_boot=f"{self.comparison.n_boot:,}")]
        if any(row.human for row in self.comparison.rows):
            notes.append(self.say("human_how"))
        if any(row.best_possible for row in self.comparison.rows):
            notes.append(self.say("best_note"))
        return " ".join(notes)

    def design(self, field: str) -> str:
        """Say who rated what."""
        design = self.comparison.groups[0].contents[0]["ceiling"][field]["design"]
        if design is None:
            return ""
        crossed = self.say("crossed" if design["crossed"] else "not_crossed")
        numbers = {name: f"{design[name]:,}" for name in _DESIGN}
        simulated = f" {self.say('simulated_raters')}" if design["simulated"] else ""
        return self.say("design", crossed=crossed, **numbers) + simulated

    def _by_model(self, key: str, field: str, rows: Sequence[Row], note: str) -> Table:
        """A row a model, a column a metric."""
        lines: list[tuple[Cell, ...]] = [
            (group.name, *(row.cells[place] for row in rows))
            for place, group in enumerate(self.comparison.groups)
            if any(row.cells[place].value is not None for row in rows)
        ]
        people = any(row.human for row in rows)
        if people:
            lines.append((self.say("human"), *(row.human for row in rows)))
        for seen in ("text", "all") if any(row.best_possible for row in rows) else ():
            best = (row.best_possible.get(seen) for row in rows)
            lines.append((self.say(f"best_{seen}"), *best))
        heads = (self.say("model"), *(self.metric(row.metric) for row in rows))
        about = self.design(field) if people else ""
        return Table(key, self.title(field), heads, tuple(lines), note, about)

    def multitask(self) -> Table:
        """Single-task against multitask."""
        found = [one for one in self.comparison.tests if one.multitask]
        return self._tests("multitask", found, self.say("multitask_note"))

    def tests(self) -> Table:
        """Every paired test."""
        numbers = {"n": f"{self.comparison.n_permutations:,}", "tests": f"{len(self.comparison.tests):,}"}
        return self._tests("tests", self.comparison.tests, self.say("tests_note", **numbers))

    def _tests(self, key: str, tests: Sequence[PairedTest], note: str) -> Table:
        groups = self.comparison.groups
        rows = tuple(
            (
                self.short(one.field),
                f"{groups[one.first].name} − {groups[one.second].name}",
                self.metric(one.metric),
                Estimate(one.difference, None, one.low, one.high),
                _p_value(one.p),
                _p_value(one.p_holm),
            )
            for one in tests
        )
        heads = ("field", "pair", "metric", "difference", "p", "p_holm")
        return Table(key, self.say(key), tuple(map(self.say, heads)), rows, note)

    def soft(self) -> Table:
        """Against soft labels."""
        lines: list[tuple[Cell, ...]] = []
        for field in self.comparison.schema:
            by_metric = {row.metric: row for row in self._rows(field.name, SOFT)}
            for place, group in enumerate(self.comparison.groups):
                cells = [row.cells[place] if (row := by_metric.get(name)) else None for name in _SOFT]
                if any(cell is not None and cell.value is not None for cell in cells):
                    lines.append((self.short(field.name), group.name, *cells))
        heads = (self.say("field"), self.say("model"), *map(self.metric, _SOFT))
        return Table("disagreement", self.say("disagreement"), heads, tuple(lines), self.say("soft_note"))

    def single_ratings(self) -> Iterator[Table]:
        """Against single ratings: all raters pooled, and each."""
        for field in self.comparison.schema:
            rows = self._rows(field.name, RATINGS)
            if any(cell.value is not None for row in rows for cell in row.cells):
                yield self._by_model("ratings", field.name, rows, self.say("ratings_note"))
        yield from self._by_rater()

    def _by_rater(self) -> Iterator[Table]:
        """The headline metric of every model against every rater."""
        for field in self.comparison.schema:
            metric = HEADLINE[field.type]
            by_group = [
                [one["fields"].get(field.name, {}).get("by_rater", {}) for one in group.contents]
                for group in self.comparison.groups
            ]
            raters = sorted({name for runs in by_group for run in runs for name in run})
            if not raters:
                continue
            rows: list[tuple[Cell, ...]] = [
                (group.name, *(_mean([run.get(name, {}).get(metric) for run in runs]) for name in raters))
                for group, runs in zip(self.comparison.groups, by_group, strict=True)
                if any(runs)
            ]
            title = f"{self.say('by_rater')}: {self.title(field.name)}"
            yield Table("by_rater", title, (self.say("model"), *raters), tuple(rows), self.metric(metric))

    def ceilings(self) -> Iterator[Table]:
        """Models and raters against the same targets."""
        for field in self.comparison.schema:
            ceilings = [
                [one["ceiling"].get(field.name, {}) for one in group.contents]
                for group in self.comparison.groups
            ]
            human = ceilings[0][0].get("human", {})
            if not human:
                continue
            names = list(human)
            rows: list[tuple[Cell, ...]] = [(self.say("human"), *(_score(human[name]) for name in names))]
            for group, runs in zip(self.comparison.groups, ceilings, strict=True):
                scores = [run.get("model", {}) for run in runs]
                if all(scores):
                    rows.append((group.name, *(_over_runs([one[name] for one in scores]) for name in names)))
            heads = (self.say("model"), *map(self.metric, names))
            note, about = self.say("ceiling_note"), self.design(field.name)
            yield Table("ceiling", self.title(field.name), heads, tuple(rows), note, about)

    def hidden(self) -> Table:
        """Trained models from which modalities are hidden: a column a model."""
        found: dict[tuple[str, str], dict[str, float | None]] = {}
        for place, group in enumerate(self.comparison.groups):
            masked = [one.get("modalities", []) for one in group.contents]
            if not all(masked):
                continue
            whole = {row.field: row.cells[place] for row in self.comparison.rows if _is_headline(row, self)}
            for field in group.fields():
                values = {self.say("nothing_hidden"): _value(whole.get(field))}
                for runs in zip(*masked, strict=False):
                    what = self._what_is_hidden(runs[0])
                    values[what] = _mean([run["metrics"].get(field) for run in runs])
                for what, value in values.items():
                    found.setdefault((field, what), {})[group.name] = value
        names = list(dict.fromkeys(name for by_group in found.values() for name in by_group))
        order = {one.name: number for number, one in enumerate(self.comparison.schema)}
        rows = tuple(
            (self.short(field), what, *(by_group.get(name) for name in names))
            for (field, what), by_group in sorted(found.items(), key=lambda one: order[one[0][0]])
        )
        heads = (self.say("field"), self.say("hidden"), *names)
        return Table("hidden", self.say("hidden"), heads, rows, self.say("hidden_note"))

    def _what_is_hidden(self, masked: Mapping[str, Any]) -> str:
        if masked["rate"] < 1:
            return self.say("missing_at_random", rate=f"{masked['rate']:.0%}")
        return self.say("without", names=" + ".join(masked["hidden"]))

    def epochs(self) -> Table:
        """The gap between the honest epoch and the one that is best on test."""
        rows: list[tuple[Cell, ...]] = []
        for group in self.comparison.groups:
            if not group.epochs:
                continue
            for field in self.comparison.schema:
                found = [one["fields"][field.name] for one in group.epochs if field.name in one["fields"]]
                if found:
                    means = (_over_runs([{"value": one[key]} for one in found]) for key in _CHOICES)
                    rows.append((group.name, self.short(field.name), *means))
        heads = ("model", "field", *_CHOICES)
        return Table(
            "epochs", self.say("epochs"), tuple(map(self.say, heads)), tuple(rows), self.say("epochs_note")
        )


_COSTS = {"parameters": "{:,.0f}", "seconds_per_epoch": "{:.2f}", "latency": "{:.3f}"}
_DESIGN = ("raters", "utterances", "fewest", "most", "scored", "undecided")
_SOFT = ("cross_entropy", "label_entropy", "manhattan", "wasserstein")
_CHOICES = ("honest", "dishonest", "gap")


def _is_headline(row: Row, made: _Tables) -> bool:
    return row.kind == LABELS and row.metric == HEADLINE[made.comparison.schema[row.field].type]


def _cost(group: Group, name: str) -> float | None:
    """Return the median over the runs of a group."""
    costs = [one["cost"].get(name) for one in group.contents]
    if name == "latency":
        costs = [one and one["median"] for one in costs]
    there = [one for one in costs if one is not None]
    return float(np.median(there)) if there else None


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _p_value(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def _value(cell: Estimate | None) -> float | None:
    return None if cell is None else cell.value


def _score(score: Mapping[str, Any]) -> Estimate:
    return Estimate(score["value"], None, score.get("low"), score.get("high"), score.get("reason"))


def _over_runs(scores: Sequence[Mapping[str, Any]]) -> Estimate:
    """Mean and deviation over runs; one run keeps its interval."""
    if len(scores) == 1:
        return _score(scores[0])
    values = [one["value"] for one in scores]
    if any(one is None for one in values):
        return Estimate(None)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)))


def _mean(values: Sequence[float | None]) -> float | None:
    there = [one for one in values if one is not None]
    return float(np.mean(there)) if len(there) == len(values) and there else None
