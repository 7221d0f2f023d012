"""The best any model can do on the sample world: from each modality and from all, with or without context.

The states behind a dialogue are a hidden Markov chain with known tables, so P(state | cues) is computed
exactly: from the turn itself, from it and the turns before (forward filter), or from the whole dialogue
(forward-backward; Rabiner 1989). The best answer to a label is the most probable one, to a number its mean.
How good it is on average is estimated by Monte Carlo, over dialogues drawn for that purpose alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.sample.cues import MODALITIES, draw_cues, log_likelihood
from corpus.sample.meaning import TRUTHS
from corpus.sample.world import LONGEST, SHORTEST, STATES, Chain, Floats, Ints, make_chain
from schemas.fields import IntervalField, MultilabelField
from schemas.label_schema import LabelSchema

SEED = 314159
DIALOGUES = 2_000
CONTEXTS = ("none", "past", "full")
"""What is known beside the turn itself: nothing, the turns before, all turns."""
SEEN = {**{one: (one,) for one in MODALITIES}, "all": MODALITIES}
COLUMNS = (
    *("prior", "text/none", "audio/none", "video/none", "all/none"),
    *("text/past", "audio/past", "video/past", "all/past", "all/full"),
)
"""What the table of results shows, in this order."""
_BATCH = 250


def posteriors(chain: Chain, likelihood: Floats, lengths: Ints) -> dict[str, Floats]:
    """Return P(state | what is known) of every turn.

    Args:
        chain: The chain over the states.
        likelihood: log P(cues | state), shape (dialogues, turns, states); anything beyond a dialogue's end.
        lengths: Turns of each dialogue, shape (dialogues,).

    Returns:
        By context (`CONTEXTS`), shape (dialogues, turns, states); turns beyond the end mean nothing.
    """
    turns = likelihood.shape[1]
    priors = chain.priors(turns)
    inside = np.arange(turns) < lengths[:, None]
    likely = np.exp(likelihood - likelihood.max(axis=2, keepdims=True))
    # A model without context does not know how far the dialogue has come.
    known = {"none": _normalise(likely * (inside.sum(axis=0) @ priors))}

    past = np.empty_like(likely)
    belief = np.broadcast_to(priors[0], likely[:, 0].shape)
    for turn in range(turns):
        past[:, turn] = _normalise(belief * likely[:, turn])
        belief = chain.ahead(past[:, turn])
    known["past"] = past

    full = np.empty_like(likely)
    future = np.ones_like(likely[:, 0])
    for turn in reversed(range(turns)):
        full[:, turn] = _normalise(past[:, turn] * future)
        # Seen from the turn before; a dialogue that has ended has no future.
        future = np.where(inside[:, turn, None], chain.back(likely[:, turn] * future), 1.0)
        future /= future.sum(axis=1, keepdims=True)
    known["full"] = full
    return known


def _normalise(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def bayes_optimal(schema: LabelSchema, dialogues: int = DIALOGUES, seed: int = SEED) -> dict[str, Any]:
    """Estimate how good the best possible answers are.

    Args:
        schema: The `affect` schema; its fields are those of the truths.
        dialogues: Monte Carlo dialogues.
        seed: Seed of the dialogues.

    Returns:
        ``dialogues``, ``utterances``, ``seed`` and ``measures``. A measure is ``FIELD/accuracy`` (relations:
        over the utterances where they apply), for sets ``FIELD/exact_set`` and ``FIELD=VALUE/accuracy``, for
        numbers ``FIELD/r2`` and ``FIELD/mae`` of the posterior mean. It has, for ``prior`` (nothing is seen)
        and each ``MODALITY/CONTEXT`` of `SEEN` and `CONTEXTS`, its ``value`` and standard error ``se`` over
        dialogues.
    """
    chain, questions = make_chain(), list(_questions(schema))
    scores: dict[str, dict[str, list[Floats]]] = {}
    utterances = 0
    for batch in range(0, dialogues, _BATCH):
        rng = np.random.Generator(np.random.PCG64([seed, batch]))
        states, likelihood, lengths = _draw(chain, min(_BATCH, dialogues - batch), rng)
        inside = np.arange(LONGEST) < lengths[:, None]
        prior = np.asarray((inside.sum(axis=0) @ chain.priors(LONGEST)) / inside.sum())
        beliefs = {"prior": np.broadcast_to(prior, (int(inside.sum()), STATES))}
        for name, table in likelihood.items():
            for context, belief in posteriors(chain, table, lengths).items():
                beliefs[f"{name}/{context}"] = belief[inside]
        owner = np.repeat(np.arange(len(lengths)), lengths)
        utterances += len(owner)
        for seen, belief in beliefs.items():
            for measure, gained, weight in _judge(questions, belief, prior, states[inside]):
                sums: Floats = np.stack([np.bincount(owner, one).astype(float) for one in (gained, weight)])
                scores.setdefault(measure, {}).setdefault(seen, []).append(sums)
    return {
        "dialogues": dialogues,
        "utterances": utterances,
        "seed": seed,
        "measures": {
            measure: {seen: _ratio(np.concatenate(sums, axis=1)) for seen, sums in by_seen.items()}
            for measure, by_seen in scores.items()
        },
    }


def _draw(chain: Chain, size: int, rng: np.random.Generator) -> tuple[Ints, dict[str, Floats], Ints]:
    """Draw dialogues: states, log likelihoods by what is seen, lengths; zeros beyond the end of each."""
    lengths = rng.integers(SHORTEST, LONGEST + 1, size)
    states: Ints = np.zeros((size, LONGEST), dtype=np.int64)
    likelihood: dict[str, Floats] = {name: np.zeros((size, LONGEST, STATES)) for name in SEEN}
    for place, length in enumerate(lengths.tolist()):
        states[place, :length] = chain.draw(length, rng)
        found = log_likelihood(draw_cues(states[place, :length], rng))
        for name, parts in SEEN.items():
            likelihood[name][place, :length] = sum(found[one] for one in parts)
    return states, likelihood, lengths


@dataclass(frozen=True)
class _Question:
    """What is asked of every utterance: its measure, and by state each answer (0 or 1) or the number.

    ``table`` has shape (states, answers); a state that has none of the answers is not asked.
    """

    measure: str
    table: Floats
    is_number: bool = False


def _questions(schema: LabelSchema) -> Iterator[_Question]:
    for one in schema:
        if isinstance(one, IntervalField):
            numbers = np.array([[float(str(truth[one.name]))] for truth in TRUTHS])
            yield _Question(one.name, numbers, is_number=True)
            continue
        answers = [_key(truth[one.name]) for truth in TRUTHS]
        distinct = sorted(set(answers) - {None}, key=str)
        kind = "exact_set" if isinstance(one, MultilabelField) else "accuracy"
        yield _Question(
            f"{one.name}/{kind}", _table([[key == answer for key in distinct] for answer in answers])
        )
        if isinstance(one, MultilabelField):
            for value in one.categories:
                rows = [[value not in answer, value in answer] for answer in answers]
                yield _Question(f"{one.name}={value}/accuracy", _table(rows))


def _table(rows: list[list[bool]]) -> Floats:
    return np.array(rows, dtype=np.float64)


def _judge(
    questions: Sequence[_Question], belief: Floats, prior: Floats, states: Ints
) -> Iterator[tuple[str, Floats, Floats]]:
    """Give what each measure gains with every utterance, and its weight there; shapes (utterances,)."""
    # One product for all questions: the beliefs are read once.
    expected = belief @ np.hstack([one.table for one in questions])
    at = 0
    for one in questions:
        answer, true = expected[:, at : at + one.table.shape[1]], one.table[states]
        at += one.table.shape[1]
        if one.is_number:
            error, chance = true - answer, true - prior @ one.table
            yield f"{one.measure}/r2", (chance**2 - error**2)[:, 0], (chance**2)[:, 0]
            yield f"{one.measure}/mae", np.abs(error)[:, 0], np.ones(len(true))
        else:
            right = np.take_along_axis(true, answer.argmax(axis=1)[:, None], axis=1)
            yield one.measure, right[:, 0], true.sum(axis=1)


def _key(answer: object) -> Any:  # noqa: ANN401 - a name, a number, a tuple of names or None
    return tuple(answer) if isinstance(answer, Mapping) else answer


def _ratio(sums: Floats) -> dict[str, float]:
    """Return a ratio of two sums over dialogues, shape (2, dialogues), and its standard error."""
    gained, weight = sums
    value = gained.sum() / weight.sum()
    spread = np.sqrt(((gained - value * weight) ** 2).sum()) / weight.sum()
    # Rounded, for sums differ in their last digits from run to run; + 0.0, for -0.0 is another text than 0.0.
    return {"value": round(float(value), 6) + 0.0, "se": round(float(spread), 6)}


def markdown(result: Mapping[str, Any], columns: Sequence[str] = COLUMNS) -> str:
    """Write the measures as a Markdown table, a row a measure."""
    titles = [
        one.replace("/none", "").replace("/past", " + past").replace("/full", " + dialogue")
        for one in columns
    ]
    lines = [f"| label | {' | '.join(titles)} |", f"|---|{'---:|' * len(columns)}"]
    for measure, by_seen in result["measures"].items():
        cells = " | ".join(f"{by_seen[one]['value']:.3f}" for one in columns)
        lines.append(f"| {measure.replace('/', ', ')} | {cells} |")
    return "\n".join(lines)
