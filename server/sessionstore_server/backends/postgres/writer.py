"""The one task that commits: it takes all writes that wait, and sends them as one statement.

A write is planned on what is known of its key. The statement lets it win if that is still so; what lost is planned
anew on what is read then, as is what would be refused for something that is only remembered.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

from sessionstore.errors import SessionStoreError, StorageError, StoreClosedError
from sessionstore_server.backends.base import Commit, GuardError, Key
from sessionstore_server.backends.ledger import Answer
from sessionstore_server.backends.postgres.batches import commit_statement
from sessionstore_server.backends.postgres.database import (
    ConflictError,
    Connection,
    ConnectionLostError,
    Database,
    Patience,
)
from sessionstore_server.backends.postgres.knowledge import Knowledge
from sessionstore_server.backends.postgres.planning import Plan, Write, known_answer, planned
from sessionstore_server.backends.postgres.statements import statement
from sessionstore_server.backends.postgres.states import State

_BATCH_WRITES = 64
_BATCH_BYTES = 8 << 20

_NOTHING_DELETED = Answer("", Commit(0, datetime.min.replace(tzinfo=UTC)), existed=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a write ended."""

    answer: Answer
    rest: UUID | None = None
    """The key of which something may have to be removed now."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """A write, and who waits for its outcome."""

    write: Write
    outcome: asyncio.Future[Outcome]
    patience: Patience | None = None
    """Since the connection broke first."""
    alone: bool = False
    """Whether a batch with it failed for one of its commits, so that each has to be tried alone."""

    def succeed(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(slots=True)
class _Feed:
    """The number and the time of the last commit that this process told, under a name of its own."""

    writer: UUID = field(default_factory=uuid4)
    last: int = 0
    last_time: datetime | None = None


class Writer:
    """Takes writes and commits them in batches, of each key one at a time and in the order they came."""

    def __init__(self, database: Database, told: Callable[[Plan], None]) -> None:
        self._database = database
        self._told = told
        self._knowledge = Knowledge(database)
        self._feed = _Feed()
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run())

    def forget(self) -> None:
        """Look at each key anew before the next write."""
        self._knowledge.forget_all()

    async def carry_out(self, write: Write) -> Outcome:
        """Commit a write, or find its answer. Errors: those of `Backend.commit` and `Backend.delete`."""
        if self._is_closing:
            raise StoreClosedError("postgres")
        waiting = _Waiting(write, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._news.set()
        return await waiting.outcome

    async def close(self) -> None:
        """Finish what waits, and take no more."""
        self._is_closing = True
        self._news.set()
        await self._task

    async def _run(self) -> None:
        while self._waiting or not self._is_closing:
            batch = self._take()
            if not batch:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._settle(batch)
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                self._fail(batch, error)

    def _take(self) -> list[_Waiting]:
        """Take writes that have nothing to do with each other, as many as one statement should carry."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        changed: set[Key] = set()
        held: set[Key] = set()
        size = 0
        while self._waiting and len(batch) < _BATCH_WRITES and size < _BATCH_BYTES:
            waiting = self._waiting.popleft()
            if waiting.outcome.cancelled():
                continue
            write, holds = waiting.write, _held(waiting.write)
            is_apart = write.key not in changed | held and not holds & changed
            if is_apart and not (batch and (waiting.alone or batch[0].alone)):
                batch.append(waiting)
                size += write.size
            else:
                left.append(waiting)
            changed.add(write.key)
            held |= holds
        self._waiting.extendleft(reversed(left))
        return batch

    async def _settle(self, batch: list[_Waiting]) -> None:
        plans = await self._plans(batch)
        ordered = dict(sorted(plans.items(), key=lambda one: one[1].before.key_id))
        if not ordered:
            return
        try:
            won = await self._send(list(ordered.values()))
        except ConnectionLostError as error:
            await self._recover(list(ordered), error)
        except ConflictError:
            self._repeat(list(ordered))
        except asyncpg.ForeignKeyViolationError:
            # A blob went away between looking for it and referring to it.
            self._repeat(list(ordered), alone=True)
        except StorageError as error:
            self._refuse(list(ordered), error)
        else:
            self._conclude(ordered, won)

    async def _plans(self, batch: Sequence[_Waiting]) -> dict[_Waiting, Plan]:
        """Plan what has to be committed; everything else is answered, or comes again with the next batch."""
        remembered = {waiting for waiting in batch if self._knowledge.is_known(waiting.write)}
        states = await self._knowledge.states([waiting.write for waiting in batch])
        plans: dict[_Waiting, Plan] = {}
        for waiting in batch:
            try:
                state = states.get(waiting.write.key)
                decided = await self._decide(waiting.write, state, remembered=waiting in remembered)
            except (SessionStoreError, GuardError) as error:
                if waiting in remembered:
                    self._repeat([waiting])
                else:
                    waiting.fail(error)
                continue
            if isinstance(decided, Plan):
                plans[waiting] = decided
            elif decided:
                waiting.succeed(decided)
            else:
                self._repeat([waiting])
        return plans

    async def _decide(self, write: Write, state: State | None, *, remembered: bool) -> Plan | Outcome | None:
        """Return the plan of a write, or its outcome; None when that takes another look at the key."""
        if answer := known_answer(write, state):
            was_lost = state is not None and write.token in state.tokens
            return Outcome(answer, state.key_id if state and was_lost else None)
        facts = await self._knowledge.facts(write, state)
        if not write.needs_row and not (state and state.present):
            return None if remembered else Outcome(_NOTHING_DELETED)
        return planned(write, state, facts) if state else None

    async def _send(self, plans: Sequence[Plan]) -> dict[UUID, datetime]:
        """Commit; return the time of each commit that won, by the key id."""
        first = self._feed.last + 1
        text, arguments = commit_statement(plans, self._feed.writer, first, self._feed.last_time)
        self._feed.last += len(plans)
        forks = [plan for plan in plans if plan.source]

        async def step(connection: Connection) -> list[asyncpg.Record]:
            if not forks:
                return await connection.fetch(text, *arguments)
            async with connection.transaction():
                rows = await connection.fetch(text, *arguments)
                for plan in forks:
                    if any(row["key_id"] == plan.before.key_id for row in rows):
                        await connection.execute(statement("fork_documents"), *_fork_arguments(plan))
                return rows

        rows = await self._database.once(step)
        return {row["key_id"]: row["commit_time"] for row in rows}

    def _conclude(self, plans: dict[_Waiting, Plan], won: dict[UUID, datetime]) -> None:
        for waiting, plan in plans.items():
            time = won.get(plan.before.key_id)
            if time is None:
                self._repeat([waiting])
                continue
            commit = Commit(plan.after.revision, time)
            self._feed.last_time = time
            self._knowledge.remember(plan.write.key, plan.state(commit))
            self._told(plan)
            waiting.succeed(Outcome(plan.answer(commit), plan.after.key_id if plan.leaves_rest else None))

    async def _recover(self, batch: Sequence[_Waiting], error: ConnectionLostError) -> None:
        """Come again with a batch of which nobody knows whether it went in: the tokens in the ledgers will tell.

        It may even go in later. So what is committed next has another name in the feed, where nothing comes before it.
        """
        self._feed = _Feed(last_time=self._feed.last_time)
        for waiting in batch:
            waiting.patience = waiting.patience or self._database.patience()
        self._repeat(batch)
        first = batch[0].patience
        if first:
            await first.pause(error)

    def _refuse(self, batch: Sequence[_Waiting], error: StorageError) -> None:
        """Answer with what the database says; several have to come alone, since one of them may be the reason."""
        if len(batch) > 1:
            self._repeat(batch, alone=True)
            return
        self._knowledge.forget(batch[0].write)
        batch[0].fail(error)

    def _repeat(self, batch: Sequence[_Waiting], *, alone: bool = False) -> None:
        """Put writes back in front, to be planned on what is read then."""
        for waiting in reversed(batch):
            self._knowledge.forget(waiting.write)
            waiting.alone = waiting.alone or alone
            self._waiting.appendleft(waiting)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """Answer everybody with an error after which nobody knows what went in."""
        for waiting in batch:
            self._knowledge.forget(waiting.write)
            waiting.fail(error)
        failed = set(batch)
        self._waiting = deque(waiting for waiting in self._waiting if waiting not in failed)


def _held(write: Write) -> set[Key]:
    """Return the keys that have to stay as they are until a write is committed."""
    guards = {write.guard.key} if write.guard else set()
    return guards | ({write.change.origin.key} if write.change and write.change.origin else set())


def _fork_arguments(plan: Plan) -> tuple[object, ...]:
    if plan.source is None:
        raise ValueError("the plan is of no fork")
    origin = plan.source.state
    return plan.before.key_id, plan.after.revision, origin.key_id, origin.started_at, plan.source.revision
