"""Goes through everything that a store has: sessions, records whose session was never saved, checkpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from sessionstore.errors import InternalError, RevisionConflictError, StorageError
from sessionstore.interchange.document import REFUSALS
from sessionstore.interchange.layout import Kind
from sessionstore.interchange.report import Progress
from sessionstore.moving.holding import Holding, read_checkpoint, read_holding
from sessionstore.store import SessionStore

REFUSED = (*REFUSALS, RevisionConflictError)
"""Errors that concern one item; any other one of a store that is written to ends everything."""

UNREADABLE = (*REFUSED, StorageError, InternalError)
"""Errors that concern one item of a store that is read."""


@dataclass(frozen=True, slots=True)
class Item:
    """What moves, or is verified, as one."""

    kind: Kind
    """`Kind.SESSIONS` also stands for records whose session was never saved."""
    id: str

    def __str__(self) -> str:
        label = "session" if self.kind is Kind.SESSIONS else self.kind.label.removesuffix("s").replace("_", " ")
        return f"{label} {self.id!r}"


async def items_of(store: SessionStore, prefix: str = "") -> Sequence[Item]:
    """Return everything whose id begins like this, also what cannot be read; checkpoints last."""
    # What is damaged may stand in both lists.
    sessions = dict.fromkeys((*await store.list(), *await store.list_unsaved()))
    ids: dict[Kind, Iterable[str]] = {
        Kind.SESSIONS: sessions,
        Kind.LOOP_CHECKPOINTS: await store.list_loop_checkpoints(),
        Kind.WORKFLOW_CHECKPOINTS: await store.list_workflow_checkpoints(),
    }
    return [Item(kind, each) for kind, found in ids.items() for each in found if each.startswith(prefix)]


async def read_item(store: SessionStore, item: Item) -> Holding:
    """Read all of an item. Errors: as `read_holding`."""
    if item.kind is Kind.SESSIONS:
        return await read_holding(store, item.id)
    return await read_checkpoint(store, item.kind, item.id)


async def for_each(
    items: Sequence[Item], action: Callable[[Item], Awaitable[None]], concurrency: int, progress: Progress
) -> None:
    """Do something with each item, with several at a time; the first error ends everything and is raised."""
    waiting, done = iter(items), 0

    async def work() -> None:
        nonlocal done
        for item in waiting:
            await action(item)
            done += 1
            progress(done, len(items))

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
