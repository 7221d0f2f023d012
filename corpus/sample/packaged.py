"""The packaged sample: a small generated corpus with its media, for a first run without eSpeak NG.

``packaged/`` is made by `package` (``python -m benchmarks.sample --package``) and checked in. It holds what
cannot be made anew everywhere: recordings, subtitles and landmarks, the dialogues with their times, states
and cues (``dialogues.jsonl``), the best possible scores (``bayes.json``) and the versions that made all this
(``made_from.json``). Ratings and tables follow from these.
"""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from corpus.importers import Imported
from corpus.sample.bayes import bayes_optimal
from corpus.sample.cues import SHOWN
from corpus.sample.filling import VERSION, fill, settings_text
from corpus.sample.generate import media_versions, render_episodes
from corpus.sample.grammar import LANGUAGES
from corpus.sample.script import write_script
from corpus.sample.world import check_hidden_sarcasm, make_chain
from schemas import load_schema
from schemas.project import SETTINGS, Project

SEED = 2026
DIALOGUES = 24
FOLDER = "packaged"

_COPIED = ("media", "truth")


def create_sample(path: str | Path) -> tuple[Project, Imported]:
    """Make a project that holds the packaged sample, in the ``affect`` schema.

    Args:
        path: A folder that is not there yet or is empty.

    Raises:
        InputError: The folder holds something.
    """
    packaged = files("corpus.sample") / FOLDER
    project = Project.create(path, "affect")
    project.path(SETTINGS).write_text(settings_text("affect-corpus-sample", LANGUAGES), "utf-8")
    with project.writing("corpus init --sample") as staging:
        for name in _COPIED:
            _copy(packaged / name, staging / name)
    lines = (packaged / "dialogues.jsonl").read_text("utf-8").splitlines()
    made_from, bayes = (
        json.loads((packaged / f"{name}.json").read_text("utf-8")) for name in ("made_from", "bayes")
    )
    records = [json.loads(line) for line in lines]
    return project, fill(project, records, made_from, bayes=bayes, seed=made_from["seed"])


def _copy(source: Traversable, target: Path) -> None:
    target.mkdir(parents=True)
    for one in source.iterdir():
        if one.is_dir():
            _copy(one, target / one.name)
        else:
            (target / one.name).write_bytes(one.read_bytes())


def package(target: Path, dialogues: int = DIALOGUES, seed: int = SEED) -> None:
    """Generate the packaged sample into a folder, in place of what is there.

    Raises:
        InputError: eSpeak NG is not installed.
    """
    chain = make_chain()
    check_hidden_sarcasm(chain, SHOWN)
    versions = media_versions(LANGUAGES)
    shutil.rmtree(target, ignore_errors=True)
    records = render_episodes(list(write_script(dialogues, seed, LANGUAGES, chain)), target)
    made_from = {"format": "sample", "version": VERSION, "simulated": True, "dialogues": dialogues}
    made_from |= {"seed": seed, "languages": list(LANGUAGES), "versions": versions}
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (target / "dialogues.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    for name, content in (("made_from", made_from), ("bayes", bayes_optimal(load_schema("affect")))):
        (target / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
