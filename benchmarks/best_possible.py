"""What the best possible model gets right of the very utterances of a generated corpus.

The score in ``bayes.json`` is a mean over dialogues that were drawn for it. A split is a sample: of its some
hundred utterances with a relation, the best possible answers are right for more or fewer than on average. A
model that answers the same utterances is held against those.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from corpus.sample.bayes import posteriors
from corpus.sample.cues import FACE, FAMILIES, INTENTS, VOICE, Cues, log_likelihood
from corpus.sample.meaning import TRUTHS
from corpus.sample.world import FAMILY, FELT, INTENT, OPEN, POLARITIES, STRENGTH, STRENGTHS, WORDS, make_chain
from schemas.fields import IntervalField
from schemas.label_schema import LabelSchema
from schemas.project import Project

Floats = npt.NDArray[np.float64]


def realised(folder: Path, split: str) -> dict[str, float]:
    """Return the accuracy of the best possible answers with the whole dialogue.

    Args:
        folder: A project that ``corpus sample`` made, split.
        split: The split.

    Returns:
        By field (relations: where they apply; sets: the exact set; fields of numbers have none).
    """
    latent = pd.read_parquet(folder / "truth" / "latent.parquet")
    turns = pd.read_parquet(folder / "utterances.parquet", columns=["utterance_id", "dialogue_id", "index"])
    splits = pd.read_parquet(folder / "splits.parquet")
    wanted = splits.loc[splits["split"] == split, "dialogue_id"]
    found = latent.merge(turns[turns["dialogue_id"].isin(wanted)], on="utterance_id")
    found = found.sort_values(["dialogue_id", "index"])
    chain = make_chain()
    beliefs, states = [], []
    for _, dialogue in found.groupby("dialogue_id"):
        likelihood: Floats = np.sum(list(log_likelihood(_cues(dialogue)).values()), axis=0)
        beliefs.append(posteriors(chain, likelihood[None], np.array([len(dialogue)]))["full"][0])
        states.append(_states(dialogue))
    return _accuracies(Project(folder).schema, np.concatenate(beliefs), np.concatenate(states))


def _cues(dialogue: pd.DataFrame) -> Cues:
    said = {"said_polarity": POLARITIES, "said_family": FAMILIES, "said_intent": INTENTS}
    return Cues(
        np.stack([dialogue[name].map(names.index) for name, names in said.items()], axis=1),
        dialogue[[f"voice_{name}" for name in VOICE]].to_numpy(),
        dialogue[[f"face_{name}" for name in FACE]].to_numpy(),
    )


def _states(dialogue: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return the number of the hidden state of every turn."""
    parts = {
        "words": np.array(POLARITIES)[WORDS],
        "felt": np.array(POLARITIES)[FELT],
        "family": np.array(FAMILIES)[FAMILY],
        "strength": np.array(STRENGTHS)[STRENGTH],
        "intent": np.array(INTENTS)[INTENT],
        "takes_up": OPEN.astype(bool),
    }
    number = {
        key: state for state, key in enumerate(zip(*(one.tolist() for one in parts.values()), strict=True))
    }
    return np.array([number[key] for key in dialogue[list(parts)].itertuples(index=False, name=None)])


def _accuracies(schema: LabelSchema, beliefs: Floats, states: npt.NDArray[np.int64]) -> dict[str, float]:
    accuracies = {}
    for field in schema:
        if isinstance(field, IntervalField):
            continue
        answers = [truth[field.name] for truth in TRUTHS]
        keys = [tuple(one) if isinstance(one, dict) else one for one in answers]
        distinct = sorted({one for one in keys if one is not None}, key=str)
        table = np.array([[key == one for one in distinct] for key in keys])  # (states, answers)
        asked = table.any(axis=1)[states]
        best = (beliefs[asked] @ table).argmax(axis=1)
        accuracies[field.name] = float(table[states[asked], best].mean())
    return accuracies
