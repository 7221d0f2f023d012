"""Pretrained models of the ``transformers`` library: found, loaded safely and identified by their weights.

Weights are read from safetensors files alone, and no code that comes with a model is run.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from corpus.features.extractor import Floats
from schemas.errors import InputError, Issue

PATTERNS = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What is downloaded of a model: configuration, vocabulary, weights. No code and no pickle."""
WEIGHTS = "*.safetensors"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model.

    Attributes:
        name: A folder, or the name of a repository of the Hugging Face Hub.
        revision: Commit, branch or tag of the repository.
    """

    name: str
    revision: str | None = None

    def folder(self) -> Path:
        """Return the folder that holds the model; a Hub model is downloaded first, unless it is in the cache.

        Raises:
            InputError: There is no such model, or its weights are not in safetensors files.
        """
        path = Path(self.name)
        if path.is_dir():
            if self.revision:
                raise InputError(Issue("a folder has no revision", self.name, value=self.revision))
            folder = path
        else:
            folder = _download(self.name, self.revision)
        lacking = [
            Issue("this folder is not a model of the transformers library: it has no config.json", self.name)
        ]
        if not (folder / "config.json").is_file():
            raise InputError(lacking)
        if not any(folder.glob(WEIGHTS)):
            pickles = sorted(found.name for pattern in _PICKLES for found in folder.glob(pattern))
            message = "this model has no weights in safetensors files"
            if pickles:
                message = (
                    "the weights of this model are pickled, which can run any code when they are loaded; "
                    "save it with save_pretrained where you trust it, and give that folder"
                )
            raise InputError(Issue(message, self.name, value=", ".join(pickles) or None))
        return folder

    def describe(self) -> dict[str, Any]:
        """Return what identifies the model, for recipes: no path of this machine.

        Raises:
            InputError: As `folder`.
        """
        folder = self.folder()
        is_folder = Path(self.name).is_dir()
        return {
            "model": folder.resolve().name if is_folder else self.name,
            # A snapshot of the Hub's cache is called after its commit.
            "revision": None if is_folder else folder.name,
            "weights_sha256": weights_digest(folder),
        }


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of a model's configuration and weights."""
    total = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob(WEIGHTS))]:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _download(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(PATTERNS)))
    except HFValidationError:
        raise InputError(Issue("there is no such folder, and no repository can be called so", name)) from None
    except LocalEntryNotFoundError:
        message = (
            "there is no such folder, and the Hub cannot be reached; get the model where there is a network "
            "and give its folder"
        )
        raise InputError(Issue(message, name)) from None
    except HfHubHTTPError as error:
        reason = str(error).splitlines()[0]
        raise InputError(Issue(f"the Hub does not give this model: {reason}", name)) from None
    # The base of the Hub's error is of the library that downloads, which is not the same in every version.
    except (OSError, HfHubHTTPError.__bases__[0]) as error:
        message = f"the download of this model broke off; run this again, it goes on from there: {error}"
        raise InputError(Issue(message, name)) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from telling on standard error what it reads."""
    import transformers

    logging: Any = transformers.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@cache
def load(loader: str, model: Pretrained) -> Any:  # noqa: ANN401 - whatever the loader gives
    """Load a part of a model, once a process.

    Args:
        loader: ``AutoTokenizer``, ``AutoFeatureExtractor``, ``AutoImageProcessor`` or ``AutoModel``.
        model: The model.

    Returns:
        The part. A model is in evaluation mode, on the GPU in bfloat16 when there is one, otherwise in
        float32; of encoder-decoders it is the encoder.

    Raises:
        InputError: The folder does not hold such a part, or weights are missing.
    """
    import torch

    folder = model.folder()
    with _faults(loader, model):
        if loader != "AutoModel":
            return _part(loader, folder)
        torch.set_num_threads(1)  # the engine runs a process a core
        on_gpu = _device() == "cuda"
        return read_encoder(model).eval().to(_device(), dtype=torch.bfloat16 if on_gpu else torch.float32)


def _part(loader: str, folder: Path) -> Any:  # noqa: ANN401 - untyped library
    import transformers

    given: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    if loader == "AutoImageProcessor":
        given["backend"] = "pil"  # torchvision is not needed
    return getattr(transformers, loader).from_pretrained(folder, **given)


def rebuilt(loader: str, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - untyped library
    """Make what prepares the inputs of a model from its settings, as its ``to_dict`` gave them.

    Args:
        loader: ``AutoFeatureExtractor`` or ``AutoImageProcessor``.
        settings: The settings.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(settings), "utf-8")
        return _part(loader, Path(folder))


def read_encoder(model: Pretrained) -> Any:  # noqa: ANN401 - untyped library
    """Read a model anew, in float32 on the CPU; of models with more parts the one that encodes.

    Raises:
        InputError: The folder does not hold a model, or weights are missing.
    """
    from transformers import AutoModel

    with _faults("AutoModel", model):
        whole, info = AutoModel.from_pretrained(
            model.folder(),
            use_safetensors=True,
            output_loading_info=True,
            dtype="float32",
            trust_remote_code=False,
            local_files_only=True,
        )
    # A pooler that is made up at random is not used here; any other missing weight is a fault.
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    if missing:
        message = "weights are missing, so the features would be random"
        raise InputError(Issue(message, model.name, value=", ".join(missing[:3]), count=len(missing)))
    return encoder_of(whole)


def encoder_of(whole: Any) -> Any:  # noqa: ANN401 - untyped library
    """Return the part of a model that encodes; of a model of images and text, the images."""
    if whole.config.is_encoder_decoder:
        return whole.get_encoder()
    return getattr(whole, "vision_model", whole)


@contextmanager
def _faults(loader: str, model: Pretrained) -> Iterator[None]:
    """Keep the library quiet, and turn its complaints into ours."""
    from safetensors import SafetensorError

    try:
        with _quiet():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise InputError(Issue(f"{loader} cannot read this model: {lines[0]}", model.name)) from None


def run(model: Any, inputs: Mapping[str, Any]) -> Floats:  # noqa: ANN401 - untyped library
    """Run an encoder over a batch.

    Args:
        model: As `load` gives it.
        inputs: Tensors or arrays by name.

    Returns:
        Its last hidden layer.
    """
    import torch

    device, kind = model.device, model.dtype
    tensors = {name: torch.as_tensor(values).to(device) for name, values in inputs.items()}
    tensors = {
        name: values.to(kind) if values.is_floating_point() else values for name, values in tensors.items()
    }
    with torch.inference_mode():
        hidden: Floats = model(**tensors).last_hidden_state.float().cpu().numpy()
    return hidden


def computed_in() -> str:
    """Return the arithmetic and the kind of device that models run in here."""
    return "bfloat16 on gpu" if _device() == "cuda" else "float32 on cpu"


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
