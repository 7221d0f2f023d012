"""ELAN annotation files, read by pympi: a tier a speaker, an annotation a line.

pympi parses with the standard library, which expands entities. A file is therefore read by defusedxml first,
which refuses one that declares a document type or an entity: ELAN writes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlparse
from xml.etree.ElementTree import ParseError

import defusedxml.ElementTree  # type: ignore[import-untyped]
from defusedxml import DefusedXmlException
from pympi import Eaf

from corpus.importers.lines import Fault, Line, Scene, Transcript
from corpus.importers.subtitles import SCENE_MARK
from corpus.importers.tiers import is_scene_tier, spoken_tiers, tier_speaker
from schemas.errors import InputError, Issue

_NO_TIME = "no time: its time slot has none"


def read(path: Path, tiers: Sequence[str] = ()) -> Transcript:
    """Read an ELAN annotation file.

    Args:
        path: The file.
        tiers: Which tiers are imported; by default those that stand on their own time line, but for scenes.

    Raises:
        InputError: The file is not there, is broken XML, declares entities, is not of ELAN, or lacks a tier
            that was asked for.
    """
    _refuse_unsafe(path)
    try:
        found = Eaf(str(path), suppress_version_warning=True)
    except KeyError as error:
        lacking = str(error.args[0]).rpartition("}")[2]  # without its namespace
        raise InputError(Issue(f"this ELAN file is broken: it lacks {lacking!r}", str(path))) from None
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise InputError(Issue(f"this ELAN file is broken: {error!r}", str(path))) from None
    if found.header.get("TIME_UNITS", "milliseconds") != "milliseconds":
        message = "times of an ELAN file are read in milliseconds"
        raise InputError(Issue(message, str(path), value=found.header["TIME_UNITS"]))
    independent = [name for name, (_, _, about, _) in found.tiers.items() if "PARENT_REF" not in about]
    chosen = spoken_tiers(found.tiers if tiers else independent, tiers, path)
    transcript = Transcript(path, notes=[f"{path.name}: tiers {', '.join(chosen) or 'none'}"])
    origin = _take_media(transcript, found)
    for name in found.tiers:
        speaker = found.tiers[name][2].get("PARTICIPANT", "").strip() or tier_speaker(name)
        for start, end, text in _annotations(found, name):
            transcript.read += 1
            row, label = transcript.read, (text or "").strip()
            if name not in chosen and not is_scene_tier(name):
                transcript.ignored[f"tier {name!r}"] += 1
            elif start is None or end is None:
                transcript.faults.append(Fault(row, _NO_TIME, label))
            elif name in chosen:
                times = (origin + start) / 1000, (origin + end) / 1000
                transcript.lines.append(Line(row, *times, label, label, speaker))
            else:
                scene = Scene((origin + start) / 1000, (origin + end) / 1000, label or None)
                transcript.scenes.append(scene)
                transcript.ignored[SCENE_MARK] += 1
    if not transcript.read:
        raise InputError(Issue("there is no annotation in this ELAN file", str(path)))
    return transcript


def _refuse_unsafe(path: Path) -> None:
    try:
        root = defusedxml.ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
    except FileNotFoundError:
        raise InputError(Issue("there is no such file", str(path))) from None
    except ParseError as error:
        raise InputError(Issue(f"this is broken XML: {error}", str(path))) from None
    except DefusedXmlException:
        message = "this XML declares a document type or entities, which no ELAN file needs; it is not read"
        raise InputError(Issue(message, str(path))) from None
    except (ValueError, LookupError) as error:  # an encoding that nobody knows
        raise InputError(Issue(f"this is no readable XML: {error}", str(path))) from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(Issue("this XML is no annotation document of ELAN", str(path), value=root.tag))


def _annotations(found: Eaf, tier: str) -> Iterator[tuple[int | None, int | None, str | None]]:
    """Give start and end in milliseconds, and the text."""
    aligned, _, _, _ = found.tiers[tier]
    for first, last, text, _ in aligned.values():
        yield found.timeslots.get(first), found.timeslots.get(last), text
    if found.tiers[tier][1]:
        yield from (one[:3] for one in found.get_ref_annotation_data_for_tier(tier))


def _take_media(transcript: Transcript, found: Eaf) -> int:
    """Note the recording that the file names; return where its time line begins in it, in milliseconds."""
    if not found.media_descriptors:
        return 0
    first = found.media_descriptors[0]
    url = first.get("RELATIVE_MEDIA_URL") or first.get("MEDIA_URL") or ""
    transcript.media = PurePosixPath(unquote(urlparse(url).path).replace("\\", "/")).name or None
    origin = first.get("TIME_ORIGIN") or 0
    return int(origin)
