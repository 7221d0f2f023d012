"""What every floor is: fitted on train, selected on validation, saved without pickle."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from baselines.data import Floats, Split, Values
from baselines.decoding import decode
from baselines.metrics import HEADLINE, headlines
from baselines.model_card import CARD, model_card
from baselines.publishing import push
from baselines.runs import CONFIG, read_json, write_json
from schemas.definition import parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import CategoricalField, Field, RelationField
from schemas.label_schema import LabelSchema

WEIGHTS = "model.safetensors"
Tensors = dict[str, NDArray[Any]]
Report = dict[str, Any]


@dataclass(frozen=True)
class ModelConfig:
    """What a saved model says of itself.

    Attributes:
        model_type: Name of the model in `baselines.models.MODELS`.
        schema: Definition of the label schema.
        fields: The fields that the model predicts: those with a label in train.
        dataset: Digest of the dataset that it was trained on.
        seed: Seed of the training.
        metrics: What was reached on validation, by field: ``metric`` and ``value``.
    """

    model_type: str
    schema: str
    fields: tuple[str, ...]
    dataset: str
    seed: int
    metrics: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


class Model(Protocol):
    """What floors and neural models have in common: all that training, evaluation and prediction need."""

    name: ClassVar[str]
    config: Any

    @property
    def schema(self) -> LabelSchema:
        """The label schema."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that the model predicts."""

    def scores(self, split: Split) -> dict[str, Floats]:
        """Return scores of every field, as `baselines.decoding.decode` takes them."""

    def decide(self, scores: Mapping[str, Floats]) -> dict[str, Values]:
        """Return the labels that scores stand for."""

    def predict(self, split: Split) -> dict[str, Values]:
        """Return the label of every field for every utterance."""

    def fit(self, train: Split, validation: Split, workspace: Path) -> Report:
        """Learn from ``train``, choose on ``validation``, and say for JSON what was chosen."""

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the model to a folder."""


class Floor(ABC):
    """A model without a network.

    It answers as the neural models do: scores by field, which `baselines.decoding.decode` turns into labels.
    """

    name: ClassVar[str]

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    @cached_property
    def schema(self) -> LabelSchema:
        """The label schema."""
        return parse_schema(self.config.schema, CONFIG)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields that the model predicts."""
        return tuple(self.schema[name] for name in self.config.fields)

    @classmethod
    def configure(
        cls,
        schema: str,
        fields: tuple[str, ...],
        train: Split,  # noqa: ARG003 - a floor sees the text alone
        dataset: str,
        seed: int,
        settings: Mapping[str, Any],
    ) -> ModelConfig:
        """Make the configuration of a floor that is to be fitted.

        Args:
            schema: Definition of the label schema.
            fields: Fields to learn.
            train: The training split.
            dataset: Digest of the dataset.
            seed: Seed of all that is random.
            settings: Settings that a user chose; a floor has none.

        Raises:
            InputError: A setting was given.
        """
        if settings:
            raise InputError([Issue(f"{cls.name} has no settings", value=name) for name in settings])
        return ModelConfig(cls.name, schema, fields, dataset, seed)

    @classmethod
    def fresh(cls, config: ModelConfig) -> Self:
        """Make a model that is to be fitted."""
        return cls(config)

    def fit(self, train: Split, validation: Split, workspace: Path) -> Report:  # noqa: ARG002 - it takes seconds
        """Learn from ``train``, choose settings on ``validation``, and note what is reached there.

        Args:
            train: What is learnt from.
            validation: What settings are chosen on.
            workspace: A folder for what a long training keeps; a floor needs none.

        Returns:
            What was chosen, for JSON.
        """
        report = self.learn(train, validation)
        reached = headlines(self.fields, validation.labels, self.predict(validation))
        metrics = {
            field.name: {"metric": HEADLINE[field.type], "value": round(value, 6)}
            for field in self.fields
            if (value := reached[field.name]) is not None
        }
        self.config = dataclasses.replace(self.config, metrics=metrics)
        return report

    @abstractmethod
    def learn(self, train: Split, validation: Split) -> Report:
        """Learn from ``train`` and choose settings on ``validation``; return what was chosen, for JSON."""

    @abstractmethod
    def scores(self, split: Split) -> dict[str, Floats]:
        """Return scores of every field, as `baselines.decoding.decode` takes them."""

    @abstractmethod
    def tensors(self) -> Tensors:
        """Return all that was learnt, as arrays."""

    @abstractmethod
    def load_tensors(self, tensors: Tensors, folder: Path) -> None:
        """Take over what was learnt.

        Raises:
            KeyError: A tensor is missing.
        """

    def predict(self, split: Split) -> dict[str, Values]:
        """Return the label of every field for every utterance."""
        return self.decide(self.scores(split))

    def decide(self, scores: Mapping[str, Floats]) -> dict[str, Values]:
        """Return the labels that scores stand for."""
        return {field.name: decode(field, scores[field.name]) for field in self.fields}

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Write the model to a folder: JSON, safetensors and its card."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / CONFIG, dataclasses.asdict(self.config))
        # save_file would close the file to everybody but its owner.
        (folder / WEIGHTS).write_bytes(save(self.tensors()))
        (folder / CARD).write_text(model_card(self.name, self.config, self.fields), "utf-8")

    def push_to_hub(self, repo_id: str, **more: Any) -> str:  # noqa: ANN401 - passed on
        """Upload the model and its card, see `baselines.publishing`."""
        return push(self, repo_id, **more)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read a model from a folder.

        Raises:
            InputError: There is no model of this kind, or it is damaged.
        """
        folder = Path(folder)
        config = read_config(folder)
        if config.model_type != cls.name:
            message = f"this is a model of another kind than {cls.name!r}"
            raise InputError(Issue(message, str(folder), value=config.model_type))
        model = cls(config)
        where = str(folder / WEIGHTS)
        try:
            model.load_tensors(load_file(folder / WEIGHTS), folder)
        except FileNotFoundError:
            raise InputError(
                Issue("the weights of this model are not there; train it again", where)
            ) from None
        except SafetensorError as error:
            raise InputError(Issue(f"the weights of this model are damaged: {error}", where)) from None
        except KeyError as error:
            raise InputError(
                Issue("the weights of this model lack a tensor", where, value=error.args[0])
            ) from None
        return model


def read_config(folder: Path) -> ModelConfig:
    """Read what a saved model says of itself.

    Raises:
        InputError: It is not there or is damaged.
    """
    found = read_json(folder / CONFIG, "baselines train")
    names = [one.name for one in dataclasses.fields(ModelConfig)]
    lacking = [name for name in names if name not in found and name != "metrics"]
    if lacking:
        where = str(folder / CONFIG)
        raise InputError(
            [Issue("this key is required and is not there", where, column=name) for name in lacking]
        )
    known = {name: found[name] for name in names if name in found}
    return ModelConfig(**known | {"fields": tuple(found["fields"])})


def class_count(field: Field) -> int:
    """Return the number of values that a field's scores stand for; 0 for interval fields."""
    return len(field.categories) if isinstance(field, CategoricalField | RelationField) else 0
