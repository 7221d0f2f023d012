"""From recordings to a source of the project: rows with ids, and the account of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from corpus.importers.cells import normalise
from corpus.importers.chinese import simplified
from corpus.importers.identity import Stretch, clock, dialogue_ids, known_of, recording_prefix, utterance_ids
from corpus.importers.lines import Fault
from corpus.importers.merging import Utterance
from corpus.importers.quarantine import CELL_TO_NULL, ROW_SET_APART
from corpus.importers.raw import OVER_THE_BEGINNING, OVER_THE_END, Read, Recorded
from corpus.importers.recordings import FOLDER
from corpus.importers.source import SOURCE_ROWS, Source, concat_rows
from schemas import project as folder
from schemas.errors import InputError, Issue
from schemas.project import Project
from schemas.tables import from_rows, read_table

FILE_SET_APART = "file set apart"
CELL_CUT = "time cut"


def standing(project: Project, source: str) -> list[Stretch]:
    """Return the utterances of a source that stand in the project."""
    if not (project.has(folder.UTTERANCES) and project.has(folder.DIALOGUES)):
        return []
    dialogues = read_table(project.path(folder.DIALOGUES), ["dialogue_id", "source"]).to_pylist()
    own = {one["dialogue_id"] for one in dialogues if one["source"] == source}
    columns = ["utterance_id", "dialogue_id", "text", "start", "end"]
    found = []
    for row in read_table(project.path(folder.UTTERANCES), columns).to_pylist():
        if row["dialogue_id"] in own:
            start = row["start"] or 0.0  # null: the whole recording
            end = start if row["end"] is None else row["end"]
            found.append(Stretch(start, end, row["text"], row["utterance_id"], row["dialogue_id"]))
    return found


def make_source(name: str, read: Read, known: Sequence[Stretch], *, simplify: bool) -> Source:
    """Make a source of recordings.

    Args:
        name: Name of the source.
        read: What was read.
        known: The utterances of this source that stand in the project: what is the same keeps its id.
        simplify: Whether texts in traditional Chinese are normalised to simplified ones.

    Raises:
        InputError: The ids of two recordings would begin alike.
    """
    _refuse_alike(read.recorded, name)
    source = Source(name, concat_rows([]), notes=read.notes)
    rows: list[dict[str, object]] = []
    ignored: Counter[str] = Counter()
    changed = 0
    for one in read.recorded:
        own = list(_rows(one, name, known, simplify))
        changed += sum(row["text"] != row.pop("unchanged") for row in own)
        contributing = {line.row for utterance in one.utterances for line in utterance.lines}
        source.merged += len(contributing) - len({row["row"] for row in own})
        source.read += one.transcript.read
        ignored += one.transcript.ignored
        _set_apart(source, one, own)
        source.account.append(one.about())
        if one.media is not None and one.place is not None:
            source.recordings[one.place] = one.media
        rows += own
    for file, fault in read.faults:
        source.read += 1
        action = ROW_SET_APART if fault.row else FILE_SET_APART
        source.quarantine.append(_apart(name, file, fault, action))
    if changed:
        source.notes.append(
            f"{changed:,} text(s) in traditional Chinese: text is simplified, text_original as it stands"
        )
    gone = {one.key.rpartition("_")[0] for one in known} - {_prefix(one, name) for one in read.recorded}
    if gone:
        source.notes.append(f"recordings that were in this source and are no more: {', '.join(sorted(gone))}")
    source.ignored = dict(ignored)
    source.rows = concat_rows([from_rows(rows, SOURCE_ROWS)])
    return source


def _refuse_alike(recorded: Sequence[Recorded], source: str) -> None:
    names: dict[str, list[str]] = {}
    for one in recorded:
        names.setdefault(_prefix(one, source), []).append(repr(one.name))
    issues = [
        Issue(f"ids cannot tell these recordings apart: {', '.join(alike)}; rename one", value=prefix)
        for prefix, alike in names.items()
        if len(alike) > 1
    ]
    if issues:
        raise InputError(issues)


def _prefix(one: Recorded, source: str) -> str:
    return recording_prefix(source, one.name)


def _rows(
    one: Recorded, source: str, known: Sequence[Stretch], simplify: bool
) -> Iterator[dict[str, object]]:
    prefix = _prefix(one, source)
    chinese = simplify and (one.language or "zh").startswith("zh")
    write: Callable[[str], str] = simplified if chinese else str
    utterances = one.utterances
    old = list(known_of(prefix, known))
    stretches = [
        Stretch(new.start, new.start if new.end is None else new.end, new.text, f"{prefix}_{_written(new)}")
        for new in utterances
    ]
    ids = iter(utterance_ids(stretches, old))
    grouped = [[next(ids) for _ in dialogue] for dialogue in one.dialogues]
    keys = [f"{prefix}_{clock(_first(dialogue[0]))}" for dialogue in one.dialogues]
    homes = dialogue_ids(grouped, keys, old)
    for home, dialogue, own in zip(homes, one.dialogues, grouped, strict=True):
        scene = dialogue[0].scene
        names = [mark.name for mark in sorted(one.scenes, key=lambda mark: mark.start)]
        for utterance, key in zip(dialogue, own, strict=True):
            yield {
                "file": one.transcript.path.name,
                "row": utterance.lines[0].row,
                "dialogue_id": home,
                "utterance_id": key,
                # Who is 阿強 in one file and 阿强 in the next is one speaker.
                "speaker": utterance.speaker and write(normalise(utterance.speaker)),
                "text": write(utterance.text),
                "text_original": utterance.original,
                "start": None if utterance.whole else f"{utterance.start:.3f}",
                "end": None if utterance.end is None else f"{utterance.end:.3f}",
                "language": one.language,
                "media": f"{FOLDER}/{one.place}" if one.place else None,
                "episode": one.name,
                "topic": names[scene] if one.scenes and scene is not None else None,
                "unchanged": utterance.text,
            }


def _first(utterance: Utterance) -> float:
    written = utterance.lines[0].written
    return written[0] if written else utterance.start


def _written(utterance: Utterance) -> str:
    """Return the stretch of the transcript that an utterance is, on the transcript's own clock."""
    ends = [line.written[1] if line.written else line.until for line in utterance.lines]
    return f"{clock(_first(utterance))}-{clock(max(ends))}"


def _set_apart(source: Source, one: Recorded, rows: Sequence[dict[str, object]]) -> None:
    file = one.transcript.path.name
    first = {row["row"]: row["utterance_id"] for row in reversed(rows)}
    for utterance in one.utterances:
        for line in utterance.lines:
            first.setdefault(line.row, first[utterance.lines[0].row])
    for fault in one.transcript.faults:
        if fault.column is None:
            source.quarantine.append(_apart(source.name, file, fault, ROW_SET_APART))
        else:
            cut = fault.reason in (OVER_THE_END, OVER_THE_BEGINNING)
            cell = _apart(source.name, file, fault, CELL_CUT if cut else CELL_TO_NULL)
            source.cells.append({**cell, "utterance_id": first.get(fault.row)})


def _apart(source: str, file: str, fault: Fault, action: str) -> dict[str, object]:
    return {
        **{"source": source, "file": file, "row": fault.row, "column": fault.column},
        **{"original": fault.original, "action": action, "reason": fault.reason},
    }
