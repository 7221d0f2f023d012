"""How a network is fitted: `transformers.Trainer` over batches of dialogues, chosen on validation.

The order of the batches follows from seed and epoch, and a checkpoint holds all that is random, so a training
that was killed goes on to the same result as one that was not. Nothing here can reach the test split.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

from baselines.averaging import WeightAverage
from baselines.batches import DialogueBatches
from baselines.data import Split
from baselines.decoding import decode
from baselines.losses import prior_of
from baselines.runs import CHECKPOINTS, TENSORBOARD, leads, processes, read_json, write_json
from baselines.settings import TrainingSettings
from baselines.tuning import metric_of, tune, value_of
from schemas.errors import InputError, Issue
from schemas.progress import progress

if TYPE_CHECKING:
    from baselines.models.neural import NeuralModel

logging.disable_progress_bar()  # of files that are written every epoch
COMPLETE = "complete.json"
SELECTION = "eval_selection"


def fit_network(
    model: NeuralModel, train: Split, validation: Split, settings: TrainingSettings, workspace: Path
) -> dict[str, Any]:
    """Train a network, keep its best epoch and tune its thresholds.

    Args:
        model: The network, fitted to the inputs and labels of train, with its objective.
        train: What is learnt from.
        validation: What the epoch and the thresholds are chosen on.
        settings: Settings of training.
        workspace: A folder for checkpoints; training goes on from the newest whole one.

    Returns:
        What is to be said of the training: the epoch, and what was reached on validation.

    Raises:
        InputError: There was not enough memory.
    """
    set_seed(model.config.seed)
    if torch.cuda.is_available():
        model.to("cuda")  # before the streams are read: a frozen encoder reads them
    model.average = WeightAverage(model, settings.average)
    judge = _Judge(model, train, validation, settings)
    dialogues = model.dialogues(train, with_targets=True)
    steps = -(-len(DialogueBatches(dialogues.lengths, settings.batch_turns)) // processes())
    epochs = _Epochs(model, settings, steps)
    trainer = DialogueTrainer(
        model,
        _arguments(model.config.seed, settings, workspace, steps),
        train_dataset=dialogues,
        eval_dataset=judge.dialogues,
        data_collator=dialogues.collate,
        settings=settings,
        judge=judge,
        callbacks=[EarlyStoppingCallback(settings.patience), epochs],
    )
    board = _tensorboard(workspace) if find_spec("tensorboard") and leads() else None
    if board is not None:
        trainer.add_callback(board)
    try:
        trainer.train(resume_from_checkpoint=_last_whole_checkpoint(workspace))
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        message = (
            f"there was not enough memory; the longest dialogue has {dialogues.lengths.max():,} turns: lower "
            "batch_turns, width or terms"
        )
        raise InputError(Issue(message, column="batch_turns", value=settings.batch_turns)) from None
    finally:
        if board is not None and board.tb_writer is not None:
            board.tb_writer.close()  # its thread would write on, into a folder that may be gone
    trainer.accelerator.wait_for_everyone()  # nobody clears the workspace while another still reads it
    model.average.swap()
    model.average = None
    model.to("cpu")
    return {**_conclude(model, judge, trainer), "seconds_per_epoch": epochs.seconds()}


def _tensorboard(workspace: Path) -> Any:  # noqa: ANN401 - of an untyped library
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations import TensorBoardCallback

    return TensorBoardCallback(SummaryWriter(str(workspace / TENSORBOARD)))


def _conclude(model: NeuralModel, judge: _Judge, trainer: DialogueTrainer) -> dict[str, Any]:
    scores = judge.scores()
    if not all(np.isfinite(one).all() for one in scores.values()):
        message = "the training ran away: the model gives something that is no number; lower learning_rate"
        raise InputError(Issue(message, column="learning_rate", value=judge.settings.learning_rate))
    model.config.metrics = judge.settle(scores)
    history = [
        {"epoch": round(one["epoch"]), "selection": one[SELECTION]}
        for one in trainer.state.log_history
        if SELECTION in one
    ]
    best = max(history, key=lambda one: one["selection"])
    return {"epoch": best["epoch"], "epochs": history, "reached": model.config.metrics}


def _arguments(seed: int, settings: TrainingSettings, workspace: Path, steps: int) -> TrainingArguments:
    total = settings.epochs * -(-steps // settings.accumulate)
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(workspace),
        num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        gradient_accumulation_steps=settings.accumulate,
        lr_scheduler_type="cosine",
        warmup_steps=total // 20,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=SELECTION,
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        logging_strategy="epoch",
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        accelerator_config={"even_batches": False},
        use_cpu=not torch.accelerator.is_available(),  # said, or torchrun's processes would not meet
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        disable_tqdm=True,
        seed=seed,
    )


class DialogueTrainer(Trainer):  # type: ignore[misc]  # untyped base
    """A trainer whose batches are dialogues and whose evaluation is the judge's."""

    control: TrainerControl

    def __init__(self, *args: Any, settings: TrainingSettings, judge: _Judge, **more: Any) -> None:  # noqa: ANN401
        self.settings = settings
        self.judge = judge
        super().__init__(*args, **more)
        self.args._n_gpu = min(self.args.n_gpu, 1)  # torchrun spreads dialogues, never one process their rows
        self.callback_handler.callbacks = [
            one for one in self.callback_handler.callbacks if type(one).__name__ != "PrinterCallback"
        ]

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return the batches of whole dialogues."""
        batches = DialogueBatches(
            self.train_dataset.lengths,
            self.settings.batch_turns,
            seed=self.args.seed,
            processes=self.args.world_size,
        )
        loader: DataLoader[Any] = DataLoader(
            self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make AdamW, with a rate of its own for a pretrained encoder, and no decay of biases and norms."""
        model = self.model if model is None else model
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        elsewhere = {id(one) for one in self.judge.model.encoders.pretrained_parameters()}
        for one in model.parameters():
            if one.requires_grad:
                groups.setdefault((id(one) in elsewhere, one.ndim > 1), []).append(one)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": group,
                    "lr": self.settings.encoder_learning_rate if pretrained else self.settings.learning_rate,
                    "weight_decay": self.settings.weight_decay if decays else 0.0,
                }
                for (pretrained, decays), group in sorted(groups.items())
            ],
            fused=True,
        )
        return self.optimizer

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:  # noqa: ANN401 - what Trainer passes
        """Judge the model on validation."""
        with self.judge.model.averaged():
            metrics = self.judge(self.state.epoch or 0.0)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Judge:
    """Says how good a model is on validation."""

    def __init__(
        self, model: NeuralModel, train: Split, validation: Split, settings: TrainingSettings
    ) -> None:
        self.model = model
        self.settings = settings
        self.labels = validation.labels
        self.rows = len(validation)
        self.dialogues = model.dialogues(validation)
        self.priors = [prior_of(one, train.labels[one.name]) for one in model.fields]

    def __call__(self, epoch: float) -> dict[str, float]:
        """Return the mean of the metrics of all fields, and each of them."""
        config = self.model.config  # a checkpoint that is kept of this epoch decides as it was judged
        config.metrics = self.settle(self.scores())
        found = {f"eval_{name}": one["value"] for name, one in config.metrics.items()}
        # Without a label on validation there is nothing to choose by: the last epoch is taken.
        return {SELECTION: float(np.mean(list(found.values()))) if found else epoch, **found}

    def scores(self) -> dict[str, NDArray[Any]]:
        return self.model.scores_of(self.dialogues, self.rows)

    def settle(self, scores: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Give the model the thresholds of these scores, and return what it reaches with them."""
        if self.settings.tune_thresholds:
            self.model.config.thresholds = {name: one.tolist() for name, one in self.tuned(scores).items()}
        return self.reached(scores, self.model.config.thresholds)

    def tuned(self, scores: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the shifts of the logits of every field that has thresholds and labels."""
        found = {
            one.name: tune(one, scores[one.name], self.labels[one.name], prior, self.settings.select)
            for one, prior in zip(self.model.fields, self.priors, strict=True)
        }
        return {name: one for name, one in found.items() if one is not None}

    def reached(self, scores: Mapping[str, NDArray[Any]], shifts: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for field in self.model.fields:
            labels = self.labels[field.name]
            if not labels.known.any():
                continue
            metric = metric_of(field, self.settings.select)
            shift = np.array(shifts[field.name]) if field.name in shifts else None
            predicted = decode(field, scores[field.name][labels.known], shift)
            value = value_of(field, metric, labels.values[labels.known], predicted)
            found[field.name] = {"metric": metric, "value": round(value, 6)}
        return found


class _Epochs(TrainerCallback):  # type: ignore[misc]  # untyped base
    """What happens at the ends of steps and epochs: the bar moves, weights follow, files are sealed."""

    bar: Iterator[int]

    def __init__(self, model: NeuralModel, settings: TrainingSettings, steps: int) -> None:
        self.model = model
        self.settings = settings
        self.steps = -(-steps // settings.accumulate)
        self.durations: list[float] = []
        self.began = 0.0

    def seconds(self) -> float | None:
        """Return the median duration of an epoch's training, in seconds; None where there was none."""
        return round(median(self.durations), 3) if self.durations else None

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self.began = time.perf_counter()

    def on_train_begin(self, _: Any, state: Any, *__: Any, **___: Any) -> None:  # noqa: ANN401 - Trainer's
        total = self.steps * self.settings.epochs
        self.bar = progress(range(state.global_step, total + 1), "training", total)
        next(self.bar, None)

    def on_step_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        if self.model.average is not None:
            self.model.average.update()
        next(self.bar, None)

    def on_epoch_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self.durations.append(time.perf_counter() - self.began)
        if self.model.objective is not None:
            self.model.objective.weights.end_epoch()

    def on_evaluate(self, args: Any, state: Any, *_: Any, **__: Any) -> None:  # noqa: ANN401
        if self.settings.keep_checkpoints and state.is_world_process_zero:
            folder = Path(args.output_dir) / CHECKPOINTS / f"epoch-{round(state.epoch)}"
            with self.model.averaged():
                self.model.save_pretrained(folder)

    def on_save(self, args: Any, state: Any, *_: Any, **__: Any) -> None:  # noqa: ANN401
        if state.is_world_process_zero:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_train_end(self, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self.bar = iter(())  # the bar of before is gone with its last owner


def seal(checkpoint: Path) -> None:
    """Write the digests of the files of a checkpoint: what lacks them, or differs, was cut off or damaged."""
    write_json(checkpoint / COMPLETE, {path.name: _digest(path) for path in sorted(checkpoint.iterdir())})


def is_whole(checkpoint: Path) -> bool:
    """Say whether a checkpoint is as it was written."""
    try:
        written = read_json(checkpoint / COMPLETE, "baselines train")
    except InputError:
        return False
    return all(
        (checkpoint / name).is_file() and _digest(checkpoint / name) == one for name, one in written.items()
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_whole_checkpoint(workspace: Path) -> str | None:
    newest = sorted(workspace.glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1]), reverse=True)
    return next((str(one) for one in newest if is_whole(one)), None)
