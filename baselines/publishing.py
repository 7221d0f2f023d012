"""Models on the Hugging Face Hub: weights, configuration and card, without a path of this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from baselines.dataset_files import first_line, interrupted
from baselines.runs import CONFIG, read_json, write_json
from schemas.errors import InputError, Issue

ENCODERS = ("encoder", "audio_encoder", "image_encoder", "_name_or_path")
"""Keys of a configuration that may name a folder."""


def push(
    model: Any,  # noqa: ANN401 - a Model, of modules that import this one
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
) -> str:
    """Upload a model and its card.

    Args:
        model: The model.
        repo_id: ``ORG/NAME``; made where it is not there yet.
        private: Whether a new repository is private; by default as the organisation has it.
        token: Access token; by default the one that ``hf auth login`` stored.
        revision: Branch; by default the main one.
        create_pr: Propose the upload instead.
        commit_message: What to say of it.

    Returns:
        Address of the commit.

    Raises:
        InputError: The Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    api = HfApi(token=token)
    try:
        repository = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            _forget_paths(Path(folder) / CONFIG)
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                revision=revision,
                create_pr=create_pr,
                commit_message=commit_message or f"Upload {model.name}",
            )
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, ConnectionError) as error:
        message = f"the Hub does not take this model: {first_line(error)}"
        raise InputError(Issue(message, value=repo_id)) from None
    return str(commit)


def fetch(repo_id: str) -> Path:
    """Download a model, and return its folder in the cache.

    Raises:
        InputError: The Hub cannot be reached, or has no such model.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo_id, allow_patterns=["*.json", "*.safetensors", "*.md"]))
    except interrupted() as error:
        message = f"there is no such folder, and the Hub does not give this model: {first_line(error)}"
        raise InputError(Issue(message, repo_id)) from None


def _forget_paths(path: Path) -> None:
    """Leave of folders of this machine their names."""
    config = read_json(path, "save_pretrained")
    for name in ENCODERS:
        config.update({name: _name(config[name])} if name in config else {})
    for stream in config.get("streams", {}).values():
        stream.update({"name": _name(stream["name"])} if "name" in stream else {})
    write_json(path, config)


def _name(given: str) -> str:
    return Path(given).resolve().name if given and Path(given).is_dir() else given
