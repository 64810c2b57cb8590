"""Reads everything that a store holds, and says what cannot be read."""

from sessionstore.errors import InvalidArgumentError
from sessionstore.interchange.report import Progress
from sessionstore.moving.holding import Holding
from sessionstore.moving.report import Note, VerifyReport
from sessionstore.moving.walking import UNREADABLE, Item, for_each, items_of, read_item
from sessionstore.store import SessionStore


async def verify_store(store: SessionStore, progress: Progress, concurrency: int = 4) -> VerifyReport:
    """Read every session with all its records and contents, and every checkpoint, as they are at present.

    Contents are compared with their digests. What a program of a later version wrote counts as damaged, since it
    cannot be checked. Errors: InvalidArgumentError for a bad `concurrency`; those of a store that cannot be listed.
    """
    if concurrency < 1:
        raise InvalidArgumentError("concurrency", f"is {concurrency}, and must be at least 1")
    report = VerifyReport()

    async def verify(item: Item) -> None:
        try:
            holding = await read_item(store, item)
            if holding.is_apart:
                await _read_contents(store, holding)
        except UNREADABLE as error:
            report.damaged.append(Note(str(item), str(error)))
        else:
            report.count(holding.counts, holding.size)

    await for_each(await items_of(store), verify, concurrency, progress)
    report.sort()
    return report


async def _read_contents(store: SessionStore, holding: Holding) -> None:
    for digest in {reference.sha256 for reference in holding.references}:
        async for _ in store.read_blob(digest):
            pass
