"""Valid records drawn at random from any schema, for tests and benchmarks; nobody has rated anything here.

Everything is drawn a batch of whole dialogues at a time, so that a corpus of any size can be streamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas import records
from schemas.answer_sampling import NO_ANSWER, RATED, Mask, Numbers, complete, draw_codes, lists
from schemas.errors import InputError, Issue
from schemas.fields import Flag, Missing, RelationField
from schemas.label_schema import LabelSchema
from schemas.project import DIALOGUES, RATERS, SPEAKERS, SPLITS, UTTERANCES
from schemas.tables import concat

LABELS = "labels/published.parquet"
ANNOTATIONS = "annotations/simulated.parquet"

BATCH = 1000
"""Dialogues in a batch, a multiple of those of a show."""

SHOW = 50
"""Dialogues of a show; its speakers occur in no other."""

CAST = 8
"""Speakers of a show, the last of them a passer-by."""

LONGEST = 20
"""Most utterances that a dialogue has."""

SOURCE = "simulated"

WORDS = {
    "en": (
        "well|I|you|never|said|that|why|not|tonight|fine|really|maybe|we|should|talk|again|home|"
        'please|"sure"|now,|wait…|it’s|café|🙂'
    ).split("|"),
    "zh": "我|你|他|就|说|了|吗|今天|晚上|好吧|真的|应该|回家|再|谢谢|什么|不|别，|“行”|ｏｋ|🙂".split("|"),
}
"""What utterances are made of, by language."""

_SENTENCE = 16  # most words of an utterance
_AGREES = 0.7  # how often a rater keeps to the common opinion
_FIRST_RATING = 1_700_000_000_000  # milliseconds since 1970


def draw_corpus(
    schema: LabelSchema, dialogues: int, seed: int, languages: Sequence[str] = ("en", "zh"), raters: int = 3
) -> dict[str, pa.Table]:
    """Draw a whole corpus.

    Args:
        schema: The label schema.
        dialogues: How many dialogues.
        seed: The same seed gives the same corpus.
        languages: Languages of the dialogues, among those of `WORDS`.
        raters: How many raters rate the utterances; 0 leaves out annotations and raters.

    Returns:
        Tables under their declared Arrow schemas, by their paths in a project.

    Raises:
        InputError: There are no words of a language.
    """
    batches = list(draw_batches(schema, dialogues, seed, languages, raters))
    tables = {
        name: concat((batch[name] for batch in batches), arrow)
        for name, arrow in _tables(schema, raters).items()
    }
    return {**tables, RATERS: _raters(raters)} if raters else tables


def draw_batches(
    schema: LabelSchema, dialogues: int, seed: int, languages: Sequence[str] = ("en", "zh"), raters: int = 0
) -> Iterator[dict[str, pa.Table]]:
    """Draw a corpus in batches of `BATCH` whole dialogues; together they are what `draw_corpus` gives.

    Args:
        schema: The label schema.
        dialogues: How many dialogues.
        seed: The same seed gives the same corpus.
        languages: Languages of the dialogues, among those of `WORDS`.
        raters: How many raters rate the utterances; 0 leaves out annotations.

    Yields:
        Dialogues, utterances, speakers, splits, labels and annotations, by their paths in a project. No show
        and no speaker stands in two batches.

    Raises:
        InputError: There are no words of a language.
    """
    unknown = [language for language in languages if language not in WORDS]
    if unknown or not languages:
        message = "there are no words of this language"
        issues = [Issue(message, value=name, choices=list(WORDS)) for name in unknown]
        raise InputError(issues or "name at least one language")
    for first in range(0, dialogues, BATCH):
        rng = np.random.default_rng([seed, first // BATCH])
        yield _batch(schema, first, min(BATCH, dialogues - first), rng, languages, raters)


def _tables(schema: LabelSchema, raters: int) -> dict[str, pa.Schema]:
    """Return the tables of a batch by name, with their Arrow schemas."""
    tables = {
        DIALOGUES: records.DIALOGUES,
        UTTERANCES: records.UTTERANCES,
        SPEAKERS: records.SPEAKERS,
        SPLITS: records.SPLITS,
        LABELS: records.labels_schema(schema),
    }
    return {**tables, ANNOTATIONS: records.annotations_schema(schema)} if raters else tables


def _batch(
    schema: LabelSchema,
    first: int,
    count: int,
    rng: np.random.Generator,
    languages: Sequence[str],
    raters: int,
) -> dict[str, pa.Table]:
    numbers = np.arange(first, first + count)
    spoken = pa.array(languages).take(pa.array(rng.integers(len(languages), size=count)))
    # Of any ten dialogues eight are for training; the first three cover all splits.
    splits = pa.array(records.SPLIT_NAMES).take(pa.array(np.where(numbers % 10 < 3, numbers % 10, 0)))
    ids = _numbered("d", numbers)
    dialogues = pa.table(
        {
            "dialogue_id": ids,
            "source": _constant(SOURCE, count),
            "show": _numbered("show", numbers // SHOW),
            "episode": _numbered("episode", numbers % SHOW // 5),
            "topic": _pick(["family", "work", "food", None], count, rng),
            "language": spoken,
            "source_split": splits,
        },
        schema=records.DIALOGUES,
    )
    utterances = _utterances(dialogues, numbers, rng)
    plain = [field for field in schema if not isinstance(field, RelationField)]
    decided = {field.name: draw_codes(field, utterances.num_rows, rng) for field in plain}
    tables = {
        DIALOGUES: dialogues,
        UTTERANCES: utterances,
        SPEAKERS: _speakers(np.unique(numbers // SHOW)),
        SPLITS: pa.table(
            {
                "dialogue_id": ids,
                "scheme": _constant("source", count),
                "fold": np.zeros(count, np.int16),
                "split": splits,
            },
            schema=records.SPLITS,
        ),
        LABELS: _labels(schema, utterances, decided, rng),
    }
    if raters:
        tables[ANNOTATIONS] = _annotations(schema, utterances, decided, raters, rng)
    return tables


# -- who says what --------------------------------------------------------------------------------------


def _utterances(dialogues: pa.Table, numbers: npt.NDArray[np.int64], rng: np.random.Generator) -> pa.Table:
    lengths = rng.integers(1, LONGEST + 1, dialogues.num_rows)
    total = int(lengths.sum())
    owner = np.repeat(np.arange(dialogues.num_rows), lengths)
    start = np.cumsum(lengths) - lengths
    index = (np.arange(total) - start[owner]).astype(np.int32)
    own = pa.array(owner)
    ids, languages = dialogues["dialogue_id"].combine_chunks(), dialogues["language"].combine_chunks()
    films = pc.binary_join_element_wise("media", dialogues["show"].combine_chunks(), "/")
    shows = numbers[owner] // SHOW
    text = _sentences(languages.take(own), total, rng)

    # Times run on within a dialogue, with gaps and overlaps; one dialogue in eight has no recording.
    length = np.round(rng.gamma(2.0, 1.2, total) + 0.2, 3)
    began = np.cumsum(np.maximum(length + rng.normal(0.2, 0.3, total), 0.05))
    began = np.round(began - began[start][owner], 3)
    silent = (rng.random(dialogues.num_rows) < 1 / 8)[owner]
    speakers = _numbered("s", shows * CAST + rng.integers(CAST, size=total))
    return pa.table(
        {
            "utterance_id": pc.binary_join_element_wise(ids.take(own), _numbered("u", index), "_"),
            "dialogue_id": ids.take(own),
            "index": index,
            "speaker_id": _blank(speakers, rng.random(total) < 0.02),
            "text": text,
            "text_original": text,
            "start": pa.array(began, mask=silent),
            "end": pa.array(began + length, mask=silent),
            "language": languages.take(own),
            "media": _blank(films.take(own), silent),
            "context_only": rng.random(total) < 0.05,
        },
        schema=records.UTTERANCES,
    )


def _sentences(languages: pa.Array, count: int, rng: np.random.Generator) -> pa.Array:
    """Draw a text for every language of ``languages``: words of a space between, characters of none."""
    names = list(WORDS)
    language = pc.index_in(languages, pa.array(names)).to_numpy()
    sizes = np.array([len(words) for words in WORDS.values()])
    firsts = np.cumsum(sizes) - sizes
    lengths = rng.integers(1, _SENTENCE + 1, count)
    each = np.repeat(language, lengths)
    words = firsts[each] + (rng.random(len(each)) * sizes[each]).astype(np.int64)
    pieces = pa.array([word for words in WORDS.values() for word in words]).take(pa.array(words))
    spaces = pa.array([" " if name == "en" else "" for name in names]).take(pa.array(language))
    return pc.binary_join(lists(lengths, pieces), spaces)


def _speakers(shows: npt.NDArray[np.int64]) -> pa.Table:
    numbers = (shows[:, None] * CAST + np.arange(CAST)).ravel()
    rows = [
        {
            "speaker_id": name,
            "source": SOURCE,
            "name": name.upper(),
            "aliases": [f"Dr {name}"] if number % 3 == 0 else [],
            "attributes": [("gender", "female" if number % 2 else "male")] if number % 5 else [],
            "generic": number % CAST == CAST - 1,
        }
        for number, name in zip(numbers.tolist(), _numbered("s", numbers).to_pylist(), strict=True)
    ]
    return pa.Table.from_pylist(rows, records.SPEAKERS)


def _raters(count: int) -> pa.Table:
    rows = [{"rater": f"r{number}", "source": SOURCE, "attributes": []} for number in range(count)]
    return pa.Table.from_pylist(rows, records.RATERS)


def _labels(
    schema: LabelSchema, utterances: pa.Table, codes: Mapping[str, Numbers], rng: np.random.Generator
) -> pa.Table:
    rows = utterances.num_rows
    context = Missing.CONTEXT_ONLY, np.asarray(utterances["context_only"])
    answers = complete(schema, codes, rows, (*NO_ANSWER, Missing.UNDECIDED), context, rng)
    columns = {
        "utterance_id": utterances["utterance_id"],
        "method": _constant("published", rows),
        "decided_by": pa.nulls(rows, pa.string()),
        "decided_at": pa.nulls(rows, pa.timestamp("ms", tz="UTC")),
    }
    for one in answers:
        columns |= one.decided_columns(rng)
    return pa.table(columns, schema=records.labels_schema(schema))


def _annotations(
    schema: LabelSchema,
    utterances: pa.Table,
    decided: Mapping[str, Numbers],
    raters: int,
    rng: np.random.Generator,
) -> pa.Table:
    """Draw ratings that keep to a common opinion more often than not, so that raters agree somewhat."""
    asked = ~np.asarray(utterances["context_only"])[:, None]
    items, who = np.nonzero(asked & (rng.random((len(asked), raters)) < RATED))
    again = rng.random(len(items)) < 0.03  # rated twice: the first rating is superseded
    pair = np.repeat(np.arange(len(items)), 1 + again)
    rows = len(pair)
    old = np.append(pair[1:] == pair[:-1], np.zeros(min(rows, 1), bool))
    skipped = ~old & (rng.random(rows) < 0.02)
    item, rater = items[pair], who[pair]
    nth = np.arange(rows) - np.searchsorted(item, item)

    codes = {}
    for name, common in decided.items():
        agrees = rng.random(rows) < _AGREES
        own = draw_codes(schema[name], rows, rng)
        codes[name] = np.where(agrees[:, None] if own.ndim == 2 else agrees, common[item], own)
    answers = complete(schema, codes, rows, NO_ANSWER, (Missing.NOT_RATED, skipped), rng)

    ids = utterances["utterance_id"].combine_chunks().take(pa.array(item))
    status = np.where(old, 2, np.where(skipped, 1, 0))
    created = _FIRST_RATING + np.arange(rows) * 20_000
    flagged = (rng.random(rows) < 0.03).astype(np.int64)
    columns = {
        "annotation_id": pc.binary_join_element_wise(ids, _numbered("a", nth), "_"),
        "utterance_id": ids,
        "rater": _blank(_numbered("r", rater), (rng.random(len(items)) < 0.01)[pair]),
        "condition": _pick([str(one) for one in records.Condition], len(items), rng).take(pa.array(pair)),
        "context": _pick([str(one) for one in records.Context], len(items), rng).take(pa.array(pair)),
        "round": _pick(["1", "2", None], len(items), rng).take(pa.array(pair)),
        "schema_version": _constant(schema.version, rows),
        "guideline_version": _pick(["1", None], rows, rng),
        "status": pa.array(["submitted", "skipped", "superseded"]).take(pa.array(status)),
        "created": pa.array(created, pa.timestamp("ms", tz="UTC")),
        "updated": pa.array(created + 15_000, pa.timestamp("ms", tz="UTC")),
        "seconds": pa.array(rng.gamma(4, 5, rows).astype(np.float32), mask=rng.random(rows) < 0.05),
        "prediction_shown": _pick(["baseline", None, None], rows, rng),
        "flags": lists(flagged, _pick([str(one) for one in Flag], int(flagged.sum()), rng)),
    }
    for one in answers:
        columns |= one.columns()
    return pa.table(columns, schema=records.annotations_schema(schema))


# -- columns --------------------------------------------------------------------------------------------


def _constant(text: str, rows: int) -> pa.Array:
    return pa.repeat(text, rows)


def _pick(choices: Sequence[str | None], rows: int, rng: np.random.Generator) -> pa.Array:
    return pa.array(choices, pa.string()).take(pa.array(rng.integers(len(choices), size=rows)))


def _numbered(prefix: str, numbers: npt.NDArray[np.int64]) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def _blank(column: pa.Array, rows: Mask) -> pa.Array:
    return pc.if_else(pa.array(rows), pa.scalar(None, column.type), column)
