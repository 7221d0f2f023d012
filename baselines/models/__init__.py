"""The models by name. Each is imported when it is asked for: torch takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from baselines.dataset_files import names_repository
from baselines.models.base import Model, read_config
from baselines.publishing import fetch
from schemas.errors import InputError, Issue

LIBRARIES = ("torch", "transformers", "accelerate", "peft")
"""What neural models need and floors do not."""


class Registry(Mapping[str, type[Model]]):
    """Model classes by name.

    Attributes:
        about: What each model is, in a line.
    """

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        """Take for each name where its class is (``module:class``), and what it is."""
        self._places = {name: place for name, (place, _) in places.items()}
        self.about = {name: about for name, (_, about) in places.items()}

    def __getitem__(self, name: str) -> type[Model]:
        module, kind = self._places[name].split(":")
        try:
            found: type[Model] = getattr(import_module(f"{__name__}.{module}"), kind)
        except ModuleNotFoundError as error:
            if error.name not in LIBRARIES:
                raise
            message = f"this model needs {error.name}, which is not installed: pip install {error.name}"
            raise InputError(Issue(message, value=name)) from None
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


MODELS = Registry(
    {
        "majority": (
            "majority:Majority",
            "floor: the most frequent value of train; the mean of interval fields",
        ),
        "tfidf-logistic": (
            "tfidf_logistic:TfidfLogistic",
            "floor: TF-IDF of words and characters with logistic regression; ridge for interval fields",
        ),
        "context-fusion": (
            "context_fusion:ContextFusion",
            "gated fusion of streams, context of dialogue and speaker, a head a task over one network",
        ),
        "soft-sharing": (
            "soft_sharing:SoftSharing",
            "a stack a task; gates between tasks, supervised by the annotated relations",
        ),
        "mmtrans-mt": (
            "mmtrans_mt:MmtransMt",
            "representation and fusion by Transformers; the heads of categories know the numbers",
        ),
        "bc-lstm": ("bc_lstm:BcLstm", "comparator: contextual LSTMs (Poria et al. 2017)"),
        "lmf": ("lmf:Lmf", "comparator: low-rank fusion (Liu et al. 2018), with recurrent context"),
        "mult": ("mult:Mult", "comparator: crossmodal Transformer over turns (Tsai et al. 2019)"),
    }
)


def find_model(name: str) -> type[Any]:
    """Return the model called ``name``.

    Raises:
        InputError: There is none.
    """
    if name not in MODELS:
        raise InputError(Issue("there is no such model", value=name, choices=list(MODELS)))
    return MODELS[name]


def load_model(folder: str | Path) -> Model:
    """Read a saved model, whichever it is.

    Args:
        folder: A run folder, or ``ORG/NAME`` on the Hub.

    Raises:
        InputError: There is none, or it is damaged.
    """
    folder = fetch(str(folder)) if names_repository(folder) else Path(folder)
    found: Model = find_model(read_config(folder).model_type).from_pretrained(folder)
    return found
