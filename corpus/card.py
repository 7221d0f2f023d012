"""The dataset card: the README.md of a published dataset, with the header that the Hub reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml

from annotation.ratings import simulated_raters
from corpus.features.published import PREFIX
from corpus.features.table import read_recipe
from corpus.media.published import CONFIGURATION
from corpus.sample.bayes import markdown
from schemas import project as folder
from schemas.fields import CategoricalField, Field, IntervalField, MultilabelField, RelationField
from schemas.project import Project, Variant
from schemas.records import SPLIT_NAMES
from schemas.tables import read_table

Rows = Mapping[str, Mapping[str, int]]
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)


AGREEMENT, QUALIFICATION = "reports/agreement.json", "reports/qualification.json"
BEST_POSSIBLE = "truth/bayes.json"
"""The best possible scores, of a generated corpus only; they go with its dataset."""
PRINTED = (AGREEMENT, QUALIFICATION, BEST_POSSIBLE)
"""What the card prints where it is there: a dataset is out of date when one of these is another one."""


def write_card(
    project: Project,
    target: Path,
    rows: Rows,
    labels: str | None,
    digest: str,
    variant: Variant = Variant.FEATURES,
) -> None:
    """Write the card of a built dataset.

    Args:
        project: The project.
        target: The dataset folder.
        rows: Rows by configuration and split.
        labels: The table of decided labels that was built; None: nobody has rated.
        digest: Digest of all that the dataset was built from.
        variant: How much of the recordings is in it.
    """
    header = yaml.safe_dump(_header(project, rows, digest), allow_unicode=True, sort_keys=False)
    body = "\n".join(_body(project, rows, labels, variant))
    (target / "README.md").write_text(f"---\n{header}---\n\n{body}\n", "utf-8")


def _languages(project: Project) -> list[str]:
    if project.settings.languages:
        return list(project.settings.languages)
    column = read_table(project.path(folder.DIALOGUES), ["language"]).column("language")
    return sorted(language for language in pc.unique(column).to_pylist() if language)


def _header(project: Project, rows: Rows, digest: str) -> dict[str, Any]:
    total = sum(rows["default"].values())
    kinds = {one.type for one in project.schema}
    header: dict[str, Any] = {
        "pretty_name": project.settings.title or project.settings.name,
        "language": _languages(project) or ["und"],
        "license": project.settings.licence,
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>10M")],
        "task_categories": ["text-classification"],
        "tags": ["affective-computing", "dialogue", *(["multi-label"] if "multilabel" in kinds else [])],
    }
    header["configs"] = [
        {
            "config_name": name,
            **({"default": True} if name == "default" else {}),
            # datasets caches a local folder under its name and this header alone: without the digest it would
            # give the rows of an older build, or of another folder called dataset/.
            "description": f"built from {digest}",
            "data_files": [
                {"split": split, "path": f"{name}/{split}-*.parquet"}
                for split in SPLIT_NAMES
                if split in splits
            ],
        }
        for name, splits in rows.items()
        if splits
    ]
    return header


def _body(project: Project, rows: Rows, labels: str | None, variant: Variant) -> Iterator[str]:
    settings, schema = project.settings, project.schema
    yield f"# {settings.title or settings.name}\n"
    if settings.description:
        yield settings.description + "\n"
    yield from _simulation(project)
    yield "Labels say what people *perceive* in an utterance, not what its speaker feels.\n"
    yield "```python\nfrom datasets import load_dataset\n"
    yield 'utterances = load_dataset("PATH_OR_NAME")                  # a row an utterance'
    yield 'dialogues = load_dataset("PATH_OR_NAME", "dialogues")     # a row a dialogue'
    if "annotations" in rows:
        yield 'ratings = load_dataset("PATH_OR_NAME", "annotations")     # a row a rating'
    if CONFIGURATION in rows:
        yield 'recordings = load_dataset("PATH_OR_NAME", "media")        # a row an utterance'
    yield "```\n"
    yield "## Size\n"
    present = [split for split in SPLIT_NAMES if split in rows["default"]]
    yield f"| configuration | {' | '.join(present)} |\n|---|{'---:|' * len(present)}"
    for name, splits in rows.items():
        yield f"| {name} | {' | '.join(f'{splits.get(split, 0):,}' for split in present)} |"
    if labels is None:
        yield "\n**Nobody has rated these utterances yet:** all labels are null.\n"
    else:
        yield f"\nDecided labels: `{Path(labels).stem}`. Null labels have their reason in `FIELD_missing`.\n"
    yield f"## Labels ({schema.name} {schema.version})\n"
    yield f"{schema.description.en}\n\n{schema.description.zh}\n"
    for one in schema:
        yield from _field(one)
    yield from _recordings(rows, variant)
    yield from _features(project, rows)
    yield from _agreement(project)
    yield from _qualification(project)
    yield from _best_possible(project)
    yield "## Sources\n"
    for name, about in settings.sources.items():
        yield f"### {name}\n"
        yield from (f"- {key}: {value}" for key, value in about.items())
    if not settings.sources:
        yield "Nothing is said in `corpus.yaml` of the rights in the sources. Ask before you use them."
    if settings.citation:
        yield f"\n## Citation\n\n{settings.citation}"


def _simulation(project: Project) -> Iterator[str]:
    """Say plainly which raters are simulated."""
    simulated, raters = simulated_raters(project)
    if simulated:
        yield f"> **Simulated:** {len(simulated)} of the {raters} raters are simulated, not people.\n"


def _field(one: Field) -> Iterator[str]:
    yield f"### `{one.name}`: {one.title.en} / {one.title.zh} ({one.type})\n"
    for text in (one.question, one.rule):
        if text:
            yield f"{text.en}\n\n{text.zh}\n"
    if isinstance(one, IntervalField):
        yield f"A number from {one.low:g} to {one.high:g}.\n"
        yield from (f"- {point:g}: {wording.en} / {wording.zh}" for point, wording in one.anchors)
    if isinstance(one, RelationField):
        yield f"From `{one.source}` to `{one.target}`, asked when: {one.applies_when}.\n"
    if isinstance(one, MultilabelField):
        alone = f", {', '.join(one.exclusive)} only alone" if one.exclusive else ""
        strength = f"; intensity {one.intensity[0]}..{one.intensity[1]} for each" if one.intensity else ""
        yield f"One or several{alone}{strength}. The empty list means: none of them.\n"
    if isinstance(one, CategoricalField | RelationField):
        for value in one.values:
            meaning = f": {value.definition.en} / {value.definition.zh}" if value.definition else ""
            yield f"- `{value.name}` ({value.title.en} / {value.title.zh}){meaning}"
    yield ""


def _recordings(rows: Rows, variant: Variant) -> Iterator[str]:
    """Say what of the recordings is in the dataset."""
    if CONFIGURATION not in rows:
        return
    yield "## Recordings\n"
    yield (
        f"`{CONFIGURATION}` has the rows of `default`, and where each utterance is: `recording` (a path in"
        " the project that this was built from), a hash of it, `start` and `end` in seconds, and the SHA-256"
        " of its sound and of its clip. `media_missing` says why an utterance was not cut.\n"
    )
    if variant == Variant.FULL:
        yield (
            "`audio` is FLAC (16 kHz, mono), `video` MP4 (H.264, and AAC where the recording has sound), null"
            " where the recording has none. To decode them, `datasets` needs torchcodec; without it, cast the"
            " columns to `Audio(decode=False)` and `Video(decode=False)`: they give the files' bytes.\n"
        )
    else:
        yield "The recordings themselves are not in this dataset.\n"


def _features(project: Project, rows: Rows) -> Iterator[str]:
    """Print how features were made; their recipes stand beside them in full."""
    configurations = [name for name in rows if name.startswith(PREFIX)]
    if not configurations:
        return
    yield "## Features\n"
    yield (
        "Rows stand as in `default`. `features` is null where an utterance has none; `missing` says why."
        " Every folder has its `recipe.json`: all parameters and versions.\n"
    )
    yield "| configuration | width | made with | pooling | without features |"
    yield "|---|---:|---|---|---|"
    for name in configurations:
        recipe = read_recipe(project, name.removeprefix(PREFIX)) or {}
        parameters = recipe.get("parameters", {})
        without = "; ".join(f"{count:,}: {reason}" for reason, count in recipe.get("missing", {}).items())
        cells = (name, recipe.get("width", ""), _made_with(recipe), parameters.get("pooling", ""), without)
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"
    yield ""


def _made_with(recipe: Mapping[str, Any]) -> str:
    """Say in a table cell what made features."""
    if "extractor" not in recipe:
        given = recipe.get("recipe", recipe.get("made_by", "unknown"))
        simulated = "simulated, " if recipe.get("simulated") else ""
        return f"{simulated}{'recipe unknown' if given == 'unknown' else _brief(given)}"
    parameters = recipe.get("parameters", {})
    models = parameters.get("models", {"": parameters} if "model" in parameters else {})
    said = [
        f"{f'{language}: ' if language else ''}{one['model']}"
        f"{' at ' + one['revision'][:12] if one.get('revision') else ''}"
        f" (weights {one['weights_sha256'][:12]})"
        for language, one in models.items()
    ]
    rate = [f"{parameters['sample_rate'] / 1000:g} kHz"] if "sample_rate" in parameters else []
    return ", ".join([f"{recipe['extractor']} version {recipe['version']}", *said, *rate])


def _brief(given: object) -> str:
    """Print a recipe that came with features, cut where a table would burst."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _best_possible(project: Project) -> Iterator[str]:
    """Print the best possible scores of a generated corpus, whose truth is known."""
    path = project.path(BEST_POSSIBLE)
    if path.exists():
        yield "## Best possible scores\n"
        yield (
            "This corpus was generated, so the best that any model can reach against its *truth* is known"
            " (Bayes-optimal, by Monte Carlo), by what the model sees. Scores against decided labels can"
            " differ: raters err.\n"
        )
        yield markdown(json.loads(path.read_text("utf-8"))) + "\n"


def _agreement(project: Project) -> Iterator[str]:
    """Print the agreement of the raters, where it was computed."""
    path = project.path(AGREEMENT)
    if not path.exists():
        return
    yield "## Agreement\n"
    yield "| field | level | items | raters | Krippendorff's alpha | 95% interval |"
    yield "|---|---|---:|---:|---:|---|"
    for name, one in project.read_report(AGREEMENT, "annotation agreement", "fields")["fields"].items():
        alpha = one["coefficients"]["alpha"]
        value = f"{alpha['value']:.3f}" if alpha["value"] is not None else alpha["reason"]
        interval = f"{alpha['low']:.3f} to {alpha['high']:.3f}" if alpha["low"] is not None else ""
        yield f"| {name} | {one['level']} | {one['items']:,} | {one['raters']:,} | {value} | {interval} |"
    yield ""


def _qualification(project: Project) -> Iterator[str]:
    """Print how raters were trained and how they answered control items: counts and means, nobody's own."""
    path = project.path(QUALIFICATION)
    if not path.exists():
        return
    parts = ("raters", "training", "control")
    known = project.read_report(QUALIFICATION, "annotation qualify", *parts)
    yield "## Training of the raters\n"
    if known["raters"] and known["raters_by_attempts"] is None:
        yield (
            f"{known['raters']} rater{'s' * (known['raters'] != 1)} took part in training: "
            "too few raters to say how many attempts they made and how many qualified.\n"
        )
    elif known["raters"]:
        attempts = ", ".join(
            f"{count} in {times} attempt{'s' * (times != '1')}"
            for times, count in known["raters_by_attempts"].items()
        )
        yield (
            f"{known['raters']} raters took part in training ({attempts}); {known['qualified']} qualified. "
            f"{known['overrides']} rated without having qualified, on a recorded decision of the lead.\n"
        )
    rows = [
        ("training, last attempt", name, one["threshold"], one["last_attempt"])
        for name, one in known["training"].items()
    ]
    rows += [
        (f"control items of {round_}", name, None, one)
        for round_, fields in known["control"].items()
        for name, one in fields.items()
        if one["answers"]
    ]
    if rows:
        yield "Mean score against known answers, corrected for chance (1: as known, 0: without looking).\n"
        yield "| answers | field | threshold | raters | known answers | mean score |"
        yield "|---|---|---:|---:|---:|---:|"
        for what, name, least, one in rows:
            mean = "too few raters to say" if one["mean"] is None else f"{one['mean']:.2f}"
            shown = "" if least is None else f"{least:.2f}"
            yield f"| {what} | {name} | {shown} | {one['raters']} | {one['answers']} | {mean} |"
    yield ""
