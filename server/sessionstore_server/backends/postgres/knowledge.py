"""What the writer knows of keys: remembered from its own commits, else read. It may be old: a commit finds that out."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID, uuid4

from sessionstore_server.backends.base import Change, Guard, GuardError, Key, Origin
from sessionstore_server.backends.postgres.blobs import Blobs
from sessionstore_server.backends.postgres.database import Database
from sessionstore_server.backends.postgres.planning import SUMMARY_NAME, Facts, Source, Write, unpacked
from sessionstore_server.backends.postgres.states import Recent, State, key_and_state, name_id, stored

_STATES_KEPT = 1024
_GUARDS_KEPT = 1024


class Knowledge:
    """The states of keys, and what else writes have to know."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blobs = Blobs(database)
        self._states: Recent[Key, State] = Recent(_STATES_KEPT)
        self._guards: Recent[Guard, tuple[UUID, int]] = Recent(_GUARDS_KEPT)

    def remember(self, key: Key, state: State) -> None:
        """Keep the state that a commit of this process made."""
        self._states.keep(key, state)

    def forget(self, write: Write) -> None:
        """Drop what a write was planned on."""
        self._states.drop(write.key)
        if write.guard:
            self._guards.drop(write.guard)

    def forget_all(self) -> None:
        """Drop everything, because keys were swept: their ledgers are not to be believed."""
        self._states.clear()
        self._guards.clear()

    def is_known(self, write: Write) -> bool:
        """Tell whether a write would be planned on what is remembered, which may be old."""
        knows_guard = write.guard is not None and self._guards.get(write.guard) is not None
        return knows_guard or self._states.get(write.key) is not None

    async def states(self, writes: Collection[Write]) -> dict[Key, State]:
        """Return the states of the keys of these writes, as far as the keys have a row, or need one and get it now."""
        states = {write.key: state for write in writes if (state := self._states.get(write.key))}
        unknown = [write for write in writes if write.key not in states]
        if unknown:
            read = await self._read(dict.fromkeys(write.key for write in unknown))
            new = [write.key for write in unknown if write.key not in read and write.needs_row]
            read |= await self._add(new) if new else {}
            for key, state in read.items():
                self._states.keep(key, state)
            states |= read
        return states

    async def facts(self, write: Write, state: State | None) -> Facts:
        """Return what else a write has to know; nothing is read for most. Errors: GuardError."""
        guard = await self._guard(write.guard) if write.guard else None
        change = write.change
        if change is None or state is None:
            return Facts(guard)
        source = await self._source(change.origin) if change.origin else None
        return Facts(
            guard,
            source,
            await self._document_names(change, state, source),
            frozenset(await self._blobs.missing((change.blobs or frozenset()) - state.blobs)),
        )

    async def _read(self, keys: Mapping[Key, int | None]) -> dict[Key, State]:
        columns = ([key.namespace for key in keys], [key.collection for key in keys], [key.id for key in keys])
        rows = await self._database.fetch("states", *columns, list(keys.values()))
        return dict(map(key_and_state, rows))

    async def _add(self, keys: Sequence[Key]) -> dict[Key, State]:
        ids = [uuid4() for _ in keys]
        columns = ([key.namespace for key in keys], [key.collection for key in keys], [key.id for key in keys])
        await self._database.fetch("add_keys", ids, *columns)
        return await self._read(dict.fromkeys(keys))

    async def _guard(self, guard: Guard) -> tuple[UUID, int]:
        """Return the key and the revision at which it holds what the guard asks for. Errors: GuardError."""
        if known := self._guards.get(guard):
            return known
        key = guard.key
        rows = await self._database.fetch("document", key.namespace, key.collection, key.id, name_id(guard.document))
        if not rows or rows[0]["content"] != guard.record:
            raise GuardError
        found: tuple[UUID, int] = (rows[0]["key_id"], rows[0]["revision"])
        self._guards.keep(guard, found)
        return found

    async def _source(self, origin: Origin) -> Source | None:
        """Return what a fork starts from; None when that cannot be read any more."""
        state = (await self._read({origin.key: stored(origin.revision)})).get(origin.key)
        if state is None or not state.is_kept(origin.revision):
            return None
        arguments = (state.key_id, name_id(SUMMARY_NAME), state.started_at, origin.revision)
        rows = await self._database.fetch("document_at", *arguments)
        return Source(state, origin.revision, unpacked(rows[0]["content"]) if rows else None)

    async def _document_names(self, change: Change, state: State, source: Source | None) -> Sequence[str]:
        if not any(name.endswith("/") for name, record in change.documents.items() if record is None):
            return ()
        base, revision = (source.state, source.revision) if source else (state, state.revision)
        rows = await self._database.fetch("document_names", base.key_id, base.started_at, revision)
        return [row["name"].decode() for row in rows]
