"""The files of a dataset: a folder that ``corpus build`` made, or a repository of the Hugging Face Hub.

Splits are opened one by one, by the names of their files: whoever reads ``train`` never opens ``test``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import InputError, Issue

DEFAULT = "default"
CUT_OFF = "the download broke off; run this again, it goes on from there"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.parquet$")


def names_repository(given: str | Path) -> bool:
    """Say whether this is ``ORG/NAME``; where a folder ORG is here, it is a path with a slip in it."""
    return bool(_HUB_NAME.fullmatch(str(given))) and not Path(given).parent.is_dir()


def folder_of(dataset: str | Path) -> Path | None:
    """Return a dataset's folder; None for the name of a Hub repository.

    Raises:
        InputError: It is neither.
    """
    path = Path(dataset)
    if path.is_dir():
        return path
    if path.exists() or not names_repository(dataset):
        raise InputError(Issue("there is no such dataset folder", str(dataset)))
    return None


def find_file(dataset: str | Path, file: str) -> Path | None:
    """Return the path of a file of a dataset, downloaded where need be; None when it has no such file.

    Raises:
        InputError: There is no such dataset, or the Hub cannot be reached.
    """
    folder = folder_of(dataset)
    path = folder / file if folder else _download(str(dataset), file)
    return path if path is not None and path.is_file() else None


def _download(name: str, file: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, repo_type="dataset"))
    except LocalEntryNotFoundError as error:
        message = "there is no such folder, and the Hub cannot be reached"
        raise InputError(Issue(f"{message}: {first_line(error)}", name)) from None
    except EntryNotFoundError:
        return None
    except HfHubHTTPError as error:
        message = "there is no such folder, and the Hub does not give this dataset"
        raise InputError(Issue(f"{message}: {first_line(error)}", name)) from None
    except interrupted() as error:
        raise InputError(Issue(f"{CUT_OFF}: {first_line(error)}", f"{name}, {file}")) from None


def configurations(dataset: str | Path, prefix: str) -> list[str]:
    """Return the names of the configurations that begin with ``prefix``, in order.

    Raises:
        InputError: There is no such dataset, or the Hub cannot be reached.
    """
    folder = folder_of(dataset)
    if folder:
        return sorted(path.name for path in folder.glob(f"{prefix}*") if any(path.glob("*.parquet")))
    from huggingface_hub import HfApi

    try:
        files = HfApi().list_repo_files(str(dataset), repo_type="dataset")
    except interrupted() as error:
        raise InputError(
            Issue(f"the Hub does not list this dataset: {first_line(error)}", str(dataset))
        ) from None
    return sorted(
        {Path(one).parts[0] for one in files if one.startswith(prefix) and one.endswith(".parquet")}
    )


def load_rows(dataset: str | Path, configuration: str, split: str, cache_dir: Path | None = None) -> Any:  # noqa: ANN401 - a datasets.Dataset, of an untyped library
    """Open one split of one configuration, and no file of another split.

    Args:
        dataset: A dataset folder or the name of a Hub repository.
        configuration: Name of the configuration.
        split: Name of the split.
        cache_dir: Where ``datasets`` keeps its cache; by default its own place.

    Raises:
        InputError: The split is not there, is empty or is damaged, or a download was interrupted.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    folder = folder_of(dataset)
    where = f"{dataset}, split {split}" + ("" if configuration == DEFAULT else f", {configuration}")
    if folder:
        _refuse_incomplete(folder, configuration, split)
    try:
        return load_dataset(
            str(folder or dataset),
            data_files={split: f"{configuration}/{split}-*.parquet"},
            split=split,
            cache_dir=str(cache_dir) if cache_dir else None,
        )
    except (DatasetGenerationError, pa.ArrowInvalid) as error:
        reason = first_line(error.__cause__ or error)
        raise InputError(Issue(f"the files of this split are damaged: {reason}", where)) from None
    except interrupted() as error:
        if folder or isinstance(error, FileNotFoundError):
            raise InputError(Issue(f"this split cannot be read: {first_line(error)}", where)) from None
        raise InputError(Issue(f"{CUT_OFF}: {first_line(error)}", where)) from None
    except ValueError as error:  # the split is empty
        raise InputError(Issue(f"this split cannot be read: {first_line(error)}", where)) from None


def interrupted() -> tuple[type[Exception], ...]:
    """Return what a download raises that was cut off."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its first base is of the library that downloads, which is not the same in every version.
    return OSError, HfHubHTTPError.__bases__[0]


def _refuse_incomplete(folder: Path, configuration: str, split: str) -> None:
    """Refuse a split without files, or with fewer than their names say there are."""
    files = sorted((folder / configuration).glob(f"{split}-*.parquet"))
    if not files:
        there = {path.name.split("-")[0] for path in (folder / configuration).glob("*-*.parquet")}
        message = "the dataset has no such split"
        if configuration != DEFAULT:
            message = f"the dataset has no such split of {configuration}"
        raise InputError(Issue(message, str(folder), value=split, choices=sorted(there)))
    match = _SHARD.search(files[0].name)
    if match and int(match[1]) != len(files):
        message = f"{len(files)} of {int(match[1])} files of split {split!r} are here; copy the folder again"
        raise InputError(Issue(message, str(folder)))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its name."""
    return (str(error).splitlines() or [type(error).__name__])[0]
