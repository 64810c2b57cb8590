"""Copies whole sessions and checkpoints from one store to another.

What is done is known from the target itself, so an interrupted copy is repeated, and then copies only what differs.
"""

from collections import Counter
from dataclasses import dataclass

from sessionstore.errors import InvalidArgumentError
from sessionstore.interchange.layout import Kind
from sessionstore.interchange.report import Progress
from sessionstore.moving.holding import Holding
from sessionstore.moving.report import CopyReport, Note
from sessionstore.moving.walking import REFUSED, UNREADABLE, Item, for_each, items_of, read_item
from sessionstore.moving.writing import write_checkpoint, write_holding
from sessionstore.store import Capabilities, SessionStore

_DIFFERS = "the target has another one: name --overwrite to replace it"


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """What is copied, and how."""

    prefix: str = ""
    """Copy only sessions, runs and workflows whose ids begin like this."""
    overwrite: bool = False
    """Replace what the target has under the same id and differs; otherwise it is skipped."""
    is_dry_run: bool = False
    """Write nothing."""
    concurrency: int = 4
    """How many sessions are under way at the same time, each in memory as a whole but for large artifacts."""


async def copy_store(
    source: SessionStore, target: SessionStore, options: CopyOptions, progress: Progress
) -> CopyReport:
    """Copy sessions with all their records, and checkpoints, and compare the digests of what both sides then hold.

    Nothing is removed from the target. What it has of an id is completed when it is a part of what the source has,
    such as after an interruption; what differs is skipped unless `options.overwrite`. Leases, past revisions and the
    memory of requests stay behind. Errors: InvalidArgumentError for a bad option; those of a target that fails as a
    whole, and of a source that cannot be listed.
    """
    if options.concurrency < 1:
        raise InvalidArgumentError("concurrency", f"is {options.concurrency}, and must be at least 1")
    copy = _Copy(source, target, options, await target.capabilities())
    await for_each(await items_of(source, options.prefix), copy.item, options.concurrency, progress)
    return copy.finished()


class _Copy:
    """A copy under way. What the target does not keep is counted by kind, so that a report stays short."""

    def __init__(
        self, source: SessionStore, target: SessionStore, options: CopyOptions, capabilities: Capabilities
    ) -> None:
        self._source, self._target, self._options, self._capabilities = source, target, options, capabilities
        self._report = CopyReport(is_dry_run=options.is_dry_run)
        self._not_kept: Counter[str] = Counter()

    async def item(self, item: Item) -> None:
        """Copy a session or a checkpoint."""
        try:
            found = await read_item(self._source, item)
        except UNREADABLE as error:
            self._fail(item, f"the source cannot give it: {error}")
            return
        ours = self._kept(found)
        if not ours.documents:
            return
        try:
            await self._put(item, ours, await read_item(self._target, item))
        except REFUSED as error:
            self._fail(item, str(error))

    def finished(self) -> CopyReport:
        """Return the report, now that everything was tried."""
        for kind, number in self._not_kept.items():
            reason = f"the store {self._target.backend_name!r} does not keep them"
            self._report.skipped.append(Note(f"{kind.replace('_', ' ')} of {number} ids", reason))
        self._report.sort()
        return self._report

    def _kept(self, found: Holding) -> Holding:
        """Return what the target keeps of it, and take note of the rest."""
        kept = found.kept_by(self._capabilities)
        self._not_kept.update((found.counts - kept.counts).keys())
        if found.snapshot and not kept.snapshot:
            self._not_kept["snapshots"] += 1
        return kept

    async def _put(self, item: Item, ours: Holding, theirs: Holding) -> None:
        if theirs.digest == ours.digest:
            self._report.unchanged += 1
        elif not self._options.overwrite and not theirs.is_part_of(ours):
            self._report.skipped.append(Note(str(item), _DIFFERS))
        elif self._options.is_dry_run or await self._is_written(item, ours, theirs):
            self._report.count(ours.counts, ours.size)

    async def _is_written(self, item: Item, ours: Holding, theirs: Holding) -> bool:
        if item.kind is Kind.SESSIONS:
            await write_holding(ours, self._source, self._target, theirs)
        else:
            await write_checkpoint(item.kind, ours, self._target, theirs)
        written = await read_item(self._target, item)
        if written.digest != ours.digest:
            self._fail(item, f"the target gives back {written.digest}, the source has {ours.digest}")
        return written.digest == ours.digest

    def _fail(self, item: Item, reason: str) -> None:
        self._report.failed.append(Note(str(item), reason))
