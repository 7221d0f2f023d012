"""What every neural model is: encoders, a network of its own, and a head for every field of the schema."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field as attribute
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ModelOutput

from baselines.averaging import WeightAverage
from baselines.batches import DialogueBatches, Dialogues, Tensors
from baselines.context import BOTH, CONTEXTS, Places
from baselines.data import Floats, Split, Values
from baselines.dataset_files import first_line
from baselines.decoding import decode
from baselines.encoders import StreamEncoders, choose_streams
from baselines.evidence_context import EvidenceContext
from baselines.fitting import fit_network
from baselines.heads import CONTINUATION, ORDINAL_FORMS, Head, make_head
from baselines.linear_evidence import outputs
from baselines.model_card import CARD, model_card
from baselines.models.base import WEIGHTS, Report, read_config
from baselines.named_modules import NamedModules
from baselines.ngram_encoder import told
from baselines.objective import Objective
from baselines.pretrained import TUNINGS
from baselines.publishing import push
from baselines.runs import CONFIG
from baselines.settings import TrainingSettings, split_settings
from baselines.stream_encoder import Encoded
from schemas.definition import parse_schema
from schemas.errors import InputError, Issue
from schemas.fields import Field, RelationField
from schemas.label_schema import LabelSchema

PREDICTED_TURNS = 4096
"""Turns of a batch, padding included, when nothing is learnt."""
OF_TRAINING = ("objective.", "average.")
"""What hangs on a model while it is trained, by the beginning of the names of its tensors."""
IDENTITY = ("schema", "fields", "dataset", "seed", "streams")


class NeuralConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers makes a dataclass of it
    """What a saved neural model says of itself.

    Attributes:
        schema: Definition of the label schema.
        fields: The fields that the model predicts: those with a label in train.
        dataset: Digest of the dataset that it was trained on.
        seed: Seed of the training.
        streams: Recipe of every input by its name: ``kind``, sizes, and how features were made.
        context: What a turn sees of its dialogue, one of `CONTEXTS`.
        ordinal: Form of the heads of ordinal fields and relations, one of `ORDINAL_FORMS`.
        width: Width of the network.
        dropout: Share of the network's numbers that are dropped in training.
        modality_dropout: How often a stream of an utterance is left out in training.
        term_dropout: How often an n-gram is left out in training.
        terms: N-grams that are kept.
        term_width: Numbers of the vector of an n-gram.
        linear_evidence: Tell the network what linear models of the n-grams say.
        ngrams: Take hashed n-grams of the text, where no precomputed feature tells it.
        encoder: A text encoder of transformers, by its folder or its name on the Hub; empty for none.
        encoder_tuning: What is trained of it, ``frozen``, ``partial``, ``lora`` or ``full``.
        encoder_layers: How many of the last layers of an encoder are trained, where it is ``partial``.
        encoder_tokens: Most tokens of an utterance.
        audio_encoder: An encoder of sound likewise, which reads the recordings of the dataset.
        audio_tuning: What is trained of it.
        image_encoder: An encoder of images likewise.
        image_tuning: What is trained of it.
        images: Most pictures of an utterance.
        thresholds: Shifts of the logits before a decision by field, tuned on validation.
        training: Settings of the training.
        metrics: What was reached on validation, by field.
    """

    model_type = "neural"

    schema: str = ""
    fields: list[str] | tuple[str, ...] = ()
    dataset: str = ""
    seed: int = 0
    streams: dict[str, Any] = attribute(default_factory=dict)
    context: str = BOTH
    ordinal: str = CONTINUATION
    width: int = 128
    dropout: float = 0.3
    modality_dropout: float = 0.1
    term_dropout: float = 0.3
    terms: int = 65536
    term_width: int = 32
    linear_evidence: bool = True
    ngrams: bool = True
    encoder: str = ""
    encoder_tuning: str = "frozen"
    encoder_layers: int = 2
    encoder_tokens: int = 96
    audio_encoder: str = ""
    audio_tuning: str = "frozen"
    image_encoder: str = ""
    image_tuning: str = "frozen"
    images: int = 4
    thresholds: dict[str, Any] = attribute(default_factory=dict)
    training: dict[str, Any] = attribute(default_factory=dict)
    metrics: dict[str, Any] = attribute(default_factory=dict)

    def to_diff_dict(self) -> dict[str, Any]:
        """Return all of it: a reader must not need to know the defaults of this version."""
        found: dict[str, Any] = self.to_dict()
        return found

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """Return the settings that a user may choose, with their defaults."""
        own = {one.name: one for one in dataclasses.fields(cls)}
        inherited = {one.name for one in dataclasses.fields(PreTrainedConfig)}
        return {
            name: one.default
            for name, one in own.items()
            if name not in inherited
            and isinstance(one.default, bool | int | float | str)
            and name not in IDENTITY
        }

    def refuse_faults(self) -> None:
        """Refuse settings that do not go together.

        Raises:
            InputError: The width cannot be divided among the heads of attention.
        """
        heads = getattr(self, "attention_heads", 1)
        if self.width % heads:
            message = f"the width, {self.width}, is divided among the heads"
            raise InputError(Issue(message, column="attention_heads", value=heads))

    @classmethod
    def all_choices(cls) -> dict[str, tuple[str, ...]]:
        """Return the valid values of the settings that are words, of every model and of this one."""
        tunings = dict.fromkeys(("encoder_tuning", "audio_tuning", "image_tuning"), TUNINGS)
        return {"context": CONTEXTS, "ordinal": ORDINAL_FORMS, **tunings, **cls.choices()}

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Return the valid values of settings that are words."""
        return {}


@dataclasses.dataclass
class NeuralOutput(ModelOutput):  # type: ignore[misc]  # untyped base
    """What a batch gives.

    Attributes:
        loss: The loss, where there are targets.
        logits: By field, as its head gives them.
    """

    loss: Tensor | None = None
    logits: dict[str, Tensor] | None = None


class NeuralModel(PreTrainedModel):  # type: ignore[misc]  # untyped base
    """A network with a head for every field. It answers as the floors do: with scores by field."""

    config_class = NeuralConfig
    base_model_prefix = "network"
    name: ClassVar[str]
    config: NeuralConfig

    def __init_subclass__(cls, **more: Any) -> None:  # noqa: ANN401 - passed on
        """Make a model known to ``AutoConfig`` and ``AutoModel`` as soon as its module is imported."""
        super().__init_subclass__(**more)
        AutoConfig.register(cls.config_class.model_type, cls.config_class, exist_ok=True)
        AutoModel.register(cls.config_class, cls, exist_ok=True)

    def __init__(self, config: NeuralConfig) -> None:
        super().__init__(config)
        fields = {field.name: field for field in self.fields}
        self.encoders = StreamEncoders(config.streams, fields, config.modality_dropout)
        self.informed = [name for name, recipe in config.streams.items() if recipe.get("evidence")]
        self.evidence = EvidenceContext(fields, config.context) if self.informed else None
        self.heads = NamedModules()
        self.objective: Objective | None = None
        self.average: WeightAverage | None = None

    def build_heads(self, width: int | Mapping[str, int]) -> None:
        """Add a head a field, and end the construction: the last line of every model's ``__init__``."""
        for field in self.fields:
            size = width if isinstance(width, int) else width[field.name]
            parts = sum(outputs(self.schema[name]) for name in self.parts(field))
            self.heads[field.name] = make_head(field, size, self.config.ordinal, parts)
        self.post_init()

    def parts(self, field: Field) -> list[str]:
        """Return the parts of a relation that the model predicts; of another field none."""
        ends = (field.source, field.target) if isinstance(field, RelationField) else ()
        return [name for name in ends if name in self.config.fields]

    def _init_weights(self, module: nn.Module) -> None:
        """Keep the weights that torch gave each layer."""

    def head(self, name: str) -> Head:
        """Return the head of a field."""
        return cast("Head", self.heads[name])

    @cached_property
    def schema(self) -> LabelSchema:
        """The label schema."""
        return parse_schema(self.config.schema, CONFIG)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields that the model predicts."""
        return tuple(self.schema[name] for name in self.config.fields)

    @abstractmethod
    def represent(self, encoded: Mapping[str, Encoded], places: Places) -> dict[str, Tensor]:
        """Return what the head of every field gets.

        Args:
            encoded: Vectors of every stream and where it has something, packed.
            places: Where the rows stand in dialogues.

        Returns:
            By field, shape (rows, width).
        """

    def penalty(self, targets: Mapping[str, Tensors]) -> Tensor | float:  # noqa: ARG002 - for those that have one
        """Return what is added to the loss of the batch that was just represented."""
        return 0.0

    def shared(self) -> Iterable[Tensor]:
        """Return the parameters that all tasks share, at which GradNorm measures their pulls."""
        return [one for one in self.encoders.parameters() if one.requires_grad]

    def forward(
        self,
        turns: Tensor,
        own_turns: Tensor,
        streams: dict[str, Tensors],
        targets: dict[str, Tensors] | None = None,
    ) -> NeuralOutput:
        """Answer for the utterances of a batch (see `baselines.batches`)."""
        rows = self.represent(self.encoders(streams), Places(turns, own_turns))
        logits = self.answer(rows, self.beforehand(streams, turns))
        if targets is None or self.objective is None:
            return NeuralOutput(logits=logits)
        loss = self.objective(self.heads, logits, targets, self.shared()) + self.penalty(targets)
        return NeuralOutput(loss, logits)

    def averaged(self) -> AbstractContextManager[None]:
        """Let the model answer by the averages of its weights for a while, where it has some."""
        return nullcontext() if self.average is None else self.average.in_place()

    def beforehand(self, streams: Mapping[str, Tensors], turns: Tensor) -> dict[str, Tensor]:
        """Return what linear models tell beforehand, as offsets of logits by field; nothing without them."""
        if self.evidence is None:
            return {}
        found: dict[str, Tensor] = self.evidence(told(streams[self.informed[0]]), turns)
        return found

    def answer(self, rows: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the logits of every field; relations come last, for they see what is said of their parts."""
        logits: dict[str, Tensor] = {}
        for field in sorted(self.fields, key=lambda one: isinstance(one, RelationField)):
            name, more = field.name, {}
            if parts := self.parts(field):
                said = [self.head(one).scores(logits[one]) for one in parts]
                more["parts"] = torch.cat(said, dim=1)
            logits[name] = self.head(name)(rows[name], start.get(name), **more)
        return {field.name: logits[field.name] for field in self.fields}

    @classmethod
    def fresh(cls, config: NeuralConfig) -> Self:
        """Make a model whose random weights follow from its seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return cls(config)

    def fit(self, train: Split, validation: Split, workspace: Path) -> Report:
        """Learn from ``train`` and choose epoch and thresholds on ``validation``.

        Args:
            train: What is learnt from.
            validation: What the epoch and the thresholds are chosen on.
            workspace: A folder for checkpoints; training goes on from those that are there.
        """
        settings = TrainingSettings(**self.config.training)
        for encoder in self.encoders.each.values():
            encoder.fit(train)
        for field in self.fields:
            self.head(field.name).fit(train.labels[field.name])
        self.objective = Objective(self.fields, train, settings)
        report = fit_network(self, train, validation, settings, workspace)
        self.objective = None
        return report

    def dialogues(self, split: Split, *, with_targets: bool = False) -> Dialogues:
        """Read the streams of a split, and its labels as targets where they are wanted."""
        streams = {name: encoder.read(split) for name, encoder in self.encoders.each.items()}
        return Dialogues(split, streams, self.config.fields if with_targets else ())

    def scores(self, split: Split) -> dict[str, Floats]:
        """Return scores of every field, as `baselines.decoding.decode` takes them."""
        return self.scores_of(self.dialogues(split), len(split))

    @torch.no_grad()
    def scores_of(self, dialogues: Dialogues, rows: int) -> dict[str, Floats]:
        """Return scores of the dialogues of a split that was read before."""
        was_training = self.training
        self.eval()
        found: dict[str, Floats] = {}
        turns = self.encoders.turns_at_once or PREDICTED_TURNS
        for batch in DialogueBatches(dialogues.lengths, turns):
            packed = [dialogues[one] for one in batch]
            output = self(**_to(self.device, dialogues.collate(packed)))
            places = np.concatenate(packed)
            for name, logits in (output.logits or {}).items():
                scores = self.head(name).scores(logits.double()).cpu().numpy()
                found.setdefault(name, np.empty((rows, *scores.shape[1:])))[places] = scores
        self.train(was_training)
        return found

    def decide(self, scores: Mapping[str, Floats]) -> dict[str, Values]:
        """Return the labels that scores stand for, by the thresholds that were tuned on validation."""
        shifts = {name: np.array(one) for name, one in self.config.thresholds.items()}
        return {
            field.name: decode(field, scores[field.name], shifts.get(field.name)) for field in self.fields
        }

    def predict(self, split: Split) -> dict[str, Values]:
        """Return the label of every field for every utterance."""
        return self.decide(self.scores(split))

    @classmethod
    def configure(
        cls,
        schema: str,
        fields: tuple[str, ...],
        train: Split,
        dataset: str,
        seed: int,
        settings: Mapping[str, Any],
    ) -> NeuralConfig:
        """Make the configuration of a model that is to be trained.

        Args:
            schema: Definition of the label schema.
            fields: Fields to learn.
            train: The training split, whose inputs the model gets.
            dataset: Digest of the dataset.
            seed: Seed of all that is random.
            settings: Settings of training and of the model that a user chose, by name.

        Raises:
            InputError: A setting is not valid.
        """
        training, of_model = split_settings(
            settings, cls.config_class.settings(), cls.config_class.all_choices()
        )
        config = cls.config_class(
            schema=schema,
            fields=list(fields),
            dataset=dataset,
            seed=seed,
            training=dataclasses.asdict(training),
            **of_model,
        )
        config.refuse_faults()
        config.streams = choose_streams(train, config)
        return config

    def save_pretrained(self, save_directory: str | Path, **more: Any) -> None:  # noqa: ANN401 - passed on
        """Write the model to a folder: JSON, safetensors and its card."""
        folder = Path(save_directory)
        # Only a checkpoint of a training, which says itself what it holds, has these in it.
        weights = {name: one for name, one in self.state_dict().items() if not name.startswith(OF_TRAINING)}
        # Under the names that the modules have: checkpoints are read back without any translation.
        super().save_pretrained(folder, **{"state_dict": weights, "save_original_format": False, **more})
        if (folder / CONFIG).exists():  # of several processes the first alone writes it
            # safetensors closes its file to everybody but its owner.
            (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
        (folder / CARD).write_text(model_card(self.name, self.config, self.fields), "utf-8")

    def push_to_hub(self, repo_id: str, **more: Any) -> str:  # noqa: ANN401 - passed on
        """Upload the model and its own card, which the inherited way replaces, see `baselines.publishing`."""
        return push(self, repo_id, **more)

    @classmethod
    def from_pretrained(cls, folder: str | Path, *args: Any, **more: Any) -> Self:  # noqa: ANN401 - passed on
        """Read a model from a folder, or from the Hub by its name.

        Raises:
            InputError: There is no model of this kind, or it is damaged.
        """
        if Path(folder).is_dir():
            cls._refuse_foreign(Path(folder))
        where = f"{folder}/{WEIGHTS}"
        more = {"use_safetensors": True, **more, "output_loading_info": True}
        try:
            model, loaded = super().from_pretrained(str(folder), *args, **more)
        except OSError as error:
            message = f"the weights of this model are not there; train it again ({first_line(error)})"
            raise InputError(Issue(message, where)) from None
        except SafetensorError as error:
            raise InputError(Issue(f"the weights of this model are damaged: {error}", where)) from None
        except RuntimeError as error:
            message = f"the weights of this model do not fit its configuration: {first_line(error)}"
            raise InputError(Issue(message, where)) from None
        lacking = sorted(loaded["missing_keys"])
        if lacking:
            raise InputError(
                [Issue("the weights of this model lack a tensor", where, value=name) for name in lacking]
            )
        found: Self = model
        # In the file tensors lie at odd places of memory, which decides the last bit of some products.
        for one in (*found.parameters(), *found.buffers()):
            one.data = one.data.clone()
        return found

    @classmethod
    def _refuse_foreign(cls, folder: Path) -> None:
        kind = read_config(folder).model_type
        if kind != cls.name:
            raise InputError(
                Issue(f"this is a model of another kind than {cls.name!r}", str(folder), value=kind)
            )


def _to(device: torch.device, batch: Any) -> Any:  # noqa: ANN401 - nested dictionaries of tensors
    if isinstance(batch, dict):
        return {name: _to(device, one) for name, one in batch.items()}
    return batch.to(device)
