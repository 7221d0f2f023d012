"""What the steps of the workflow did, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from annotation.pulled_table import TABLE
from annotation.roster import INVITATIONS

if TYPE_CHECKING:
    # A pull need not wait for what deciding labels needs.
    from annotation.adjudication import Decided, Sent
    from annotation.pulling import Pulled
    from annotation.pushing import Pushed
    from annotation.workflow import SetUp


def set_up_lines(found: SetUp) -> Iterator[str]:
    """Say what a setup did."""
    made = found.round
    yield from _invited_lines(found.invited)
    for rater, queue in made.queues.items():
        repeats = sum(stop.occasion == 2 for stop in queue)
        again = f", {repeats} of them a second time" if repeats else ""
        yield f"{rater}: project {made.projects[rater]}, {len(queue)} dialogues{again}"
    if found.overlap is not None:
        least, most = found.overlap
        shared = f"{least}" if least == most else f"{least} to {most}"
        yield f"every two raters share {shared} dialogues"
    if not found.made and not found.invited:
        yield f"round {made.name!r} was set up already"
    elif len(made.queues) > 1:
        yield (
            "note: nothing in a rater's project shows what others said, but Label Studio's open-source "
            "edition has no permissions: from the list of projects, every account can open every project and "
            "read, change or delete what stands there; tell raters to stay in their own, and pull often"
        )


def _invited_lines(invited: Mapping[str, str]) -> Iterator[str]:
    for rater, login in invited.items():
        yield f"account of {rater}: {login}"
    if invited:
        yield f"logins and one-time passwords stand in {INVITATIONS}; hand them over one by one"


def push_lines(found: Sequence[Pushed]) -> Iterator[str]:
    """Say what a push did, rater by rater."""
    for one in found:
        parts = [f"{one.new:,} tasks pushed", f"{one.there:,} stood there"]
        if one.removed:
            parts.append(f"{one.removed:,} doubled ones removed")
        if one.gone:
            parts.append(f"{one.gone:,} rated ones were deleted on the server and are not pushed again")
        if one.held:
            parts.append(f"{one.held:,} wait for another day (daily_limit)")
        if one.later:
            parts.append(
                f"{one.later:,} wait until this rater has done their dialogues in the round that shows less "
                "of them, and 'annotation pull' knows it"
            )
        yield f"{one.round} · {one.rater}: {', '.join(parts)}"


def pull_lines(found: Pulled) -> Iterator[str]:
    """Say what a pull found; what needs a look comes last."""
    if not found.wrote:
        yield "nothing new"
    else:
        yield f"{found.new:,} new ratings, {found.changed:,} new versions; {TABLE} has {found.rows:,} rows"
    yield f"{found.skipped:,} tasks are skipped, {found.drafts:,} have a draft that is not submitted"
    for count, what in (
        (found.withdrawn, "ratings were deleted on the server: they are superseded now"),
        (found.returned, "ratings that were deleted stand on the server again: they count again"),
        (found.kept, "ratings lost their task or project on the server: they still count"),
        (found.strangers, "ratings were made in the project of somebody else"),
        (found.edited, "ratings were last changed by somebody else than their rater"),
        (found.fast, "utterances were answered faster than anybody can: 'annotation status' names some"),
        (found.quarantined, "results could not be taken: see reports/quarantine.parquet"),
    ):
        if count:
            yield f"look: {count:,} {what}"
    if found.aside is not None:
        yield f"look: the table held ratings that private/ does not; as it was, it stands in {found.aside}"
    for fault in found.faults:
        yield f"look: {fault}"


def sent_lines(found: Sent) -> Iterator[str]:
    """Say what was sent to adjudicators."""
    yield from _invited_lines(found.invited)
    yield f"{found.undecided:,} utterances are undecided"
    for rater, count in found.new.items():
        yield f"{rater}: {count:,} new"


def decided_lines(found: Decided) -> Iterator[str]:
    """Say which decisions came back."""
    yield f"{found.decided:,} decided, {found.waiting:,} waiting, {found.comments:,} with a comment"
    if found.withdrawn:
        yield f"look: {found.withdrawn:,} decisions were deleted on the server: they decide no longer"
