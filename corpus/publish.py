"""Publishing the built dataset: to another folder, or to a repository of the Hugging Face Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from corpus.build import stale_inputs
from schemas.errors import InputError, Issue
from schemas.project import SETTINGS, Project, Variant
from schemas.tables import iter_tables

HUB = "hub:"
PUBLISHED_MARK = "provenance.json"


@dataclass(frozen=True)
class Publication:
    """What was published, or would be.

    Attributes:
        target: The folder or repository.
        files: Size in bytes of every file, by name.
        private: Whether the repository is private, or would be if it is new (None for folders).
        done: False for a dry run.
    """

    target: str
    files: dict[str, int]
    private: bool | None
    done: bool


def publish(dataset: Path, target: str, *, public: bool = False, dry_run: bool = False) -> Publication:
    """Publish a built dataset.

    Args:
        dataset: The dataset folder. Where it lies in its project, the project is asked whether the dataset is
            up to date, whether recordings may be in it, and who its raters are.
        target: ``hub:ORG/NAME`` or a folder that is new, empty or an earlier publication.
        public: Make a new Hub repository public; by default it is private. Without it nothing goes to a
            repository that is public already.
        dry_run: Only say what would be published.

    Raises:
        InputError: Nothing is built, the build is out of date, recordings or somebody's identity stand in it
            that may not, the target is no name or a folder that holds something else, or the Hub refuses.
    """
    if not (dataset / PUBLISHED_MARK).is_file():
        raise InputError(Issue("this is no dataset folder; 'corpus build' makes one", str(dataset)))
    if (dataset.resolve().parent / SETTINGS).is_file():
        project = Project(dataset.resolve().parent)
        stale = stale_inputs(project)
        if stale:
            message = f"the dataset was built before {', '.join(stale)} changed; run 'corpus build'"
            raise InputError(Issue(message, str(dataset)))
        issues = [*_rights(project, dataset), *_identities(project, dataset)]
        if issues:
            raise InputError(issues)
    files = {
        path.relative_to(dataset).as_posix(): path.stat().st_size
        for path in sorted(dataset.rglob("*"))
        if path.is_file()
    }
    if target.startswith(HUB):
        private = _to_hub(dataset, target.removeprefix(HUB), private=not public, dry_run=dry_run)
        return Publication(target, files, private, not dry_run)
    _to_folder(dataset, Path(target), dry_run=dry_run)
    return Publication(target, files, None, not dry_run)


def _rights(project: Project, dataset: Path) -> Iterator[Issue]:
    """Refuse recordings that nobody has said may be published."""
    built = json.loads((dataset / PUBLISHED_MARK).read_text("utf-8"))["parameters"].get("variant")
    if built == Variant.FULL and project.settings.media != Variant.FULL:
        message = "recordings are in this dataset: if the rights in them allow it, say so in corpus.yaml"
        yield Issue(message, str(dataset), column="media", value=project.settings.media, choices=[built])


def _identities(project: Project, dataset: Path) -> Iterator[Issue]:
    """Look for the real names of raters in the ratings that are about to be published."""
    names: set[str] = set()
    for path in project.path("private").glob("raters*.json"):
        names.update(json.loads(path.read_text("utf-8")).values())
    for path in sorted(dataset.glob("annotations/*.parquet")):
        found: set[str] = set()
        for rows in iter_tables(path, ["rater"]):
            found.update(rows.column("rater").unique().to_pylist())
        for name in sorted(names & found):
            yield Issue(
                "a rater's identity stands in the dataset; nothing was published", str(path), value=name
            )


def _to_folder(source: Path, target: Path, *, dry_run: bool) -> None:
    """Copy beside the target, then swap, so that the target is never half a dataset."""
    occupied = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if occupied and not (target / PUBLISHED_MARK).is_file():
        raise InputError(
            Issue("this is neither a new or empty folder nor an earlier publication", str(target))
        )
    if source.resolve() == target.resolve() or source.resolve() in target.resolve().parents:
        raise InputError(Issue("a dataset cannot be published into itself", str(target)))
    if dry_run:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (target.with_name(f".{target.name}.{name}") for name in ("new", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        shutil.copytree(source, fresh)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _to_hub(source: Path, name: str, *, private: bool, dry_run: bool) -> bool:
    """Upload in one commit; the token is that of the environment (HF_TOKEN) or of the Hub's own login.

    Returns:
        Whether the repository is private; of a dry run, whether it would be.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError, LocalTokenNotFoundError
    from huggingface_hub.utils import validate_repo_id

    api = HfApi()
    try:
        validate_repo_id(name)
        if dry_run:
            return private
        api.create_repo(name, repo_type="dataset", private=private, exist_ok=True)
        is_private = bool(api.repo_info(name, repo_type="dataset").private)
        if private and not is_private:
            message = "this repository is public already; say --public to publish there, or make it private"
            raise InputError(Issue(message, value=name))
        api.upload_folder(
            repo_id=name,
            repo_type="dataset",
            folder_path=source,
            delete_patterns="*",
            commit_message="Publish",
        )
    except HFValidationError as error:
        raise InputError(Issue(f"this is no name of a repository (ORG/NAME): {error}", value=name)) from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else None
        hint = (
            "; set HF_TOKEN to a token that may write, or run 'hf auth login'" if status in {401, 403} else ""
        )
        raise InputError(Issue(f"the Hub refused ({status}){hint}", value=name)) from None
    except LocalTokenNotFoundError:
        raise InputError(Issue("no token: set HF_TOKEN, or run 'hf auth login'", value=name)) from None
    except (HTTPError, ConnectionError) as error:
        raise InputError(Issue(f"the Hub cannot be reached: {error}", value=name)) from None
    return is_private
