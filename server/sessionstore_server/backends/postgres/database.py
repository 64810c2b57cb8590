"""The connections to the database, and what its failures mean."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlsplit

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from sessionstore.errors import (
    InvalidArgumentError,
    SessionStoreError,
    StorageError,
    StoreClosedError,
    StoreUnavailableError,
)
from sessionstore_server.backends.postgres.settings import PostgresSettings
from sessionstore_server.backends.postgres.statements import statement

T = TypeVar("T")

# The driver's classes take parameters in its stubs only.
if TYPE_CHECKING:
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
else:
    Connection = PoolConnectionProxy

_LONGEST_PAUSE_SECONDS = 0.5

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.StatementCompletionUnknownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)


class ConnectionLostError(Exception):
    """The connection broke, or nothing came back in time: what was sent may have been carried out or not."""


class ConflictError(Exception):
    """The database rolled back what was sent, because others were at the same rows: send it again."""


class Database:
    """A pool of connections that comes back by itself when the database does."""

    def __init__(self, dsn: str, settings: PostgresSettings) -> None:
        self._dsn = dsn
        self._settings = settings
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.target = _target(dsn)
        """Where the database is, without the password."""

    async def open(self) -> None:
        """Connect. Errors: StoreUnavailableError, InvalidArgumentError for a DSN that is none."""
        pool = asyncpg.create_pool(
            self._dsn,
            min_size=self._settings.pool_min,
            max_size=self._settings.pool_max,
            statement_cache_size=self._settings.statement_cache_size,
            command_timeout=self._settings.command_timeout_seconds,
            timeout=self._settings.connect_timeout_seconds,
            reset=_keep,
        )
        try:
            async with self._reported():
                await pool
                await pool.release(await pool.acquire())
        except ConnectionLostError as error:
            raise StoreUnavailableError(self.target, str(error)) from error.__cause__
        except ValueError:
            # Its message may quote the DSN.
            problem = "is not a URL of PostgreSQL: use postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            raise InvalidArgumentError("url", problem) from None
        self._pool = pool

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        pool, self._pool = self._pool, None
        if pool:
            await pool.close()

    async def fetch(self, name: str, *args: object) -> list[asyncpg.Record]:
        """Run the statement `sql/<name>.sql`, see `query`."""
        return await self.query(statement(name), *args)

    async def query(self, text: str, *args: object) -> list[asyncpg.Record]:
        """Run a statement that does no harm when it runs twice, see `repeated`."""
        return await self.repeated(lambda connection: connection.fetch(text, *args))

    async def repeated(self, step: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a step that does no harm when it runs twice, again and again while the database cannot be reached.

        Errors: StoreUnavailableError when that takes too long, StorageError.
        """
        patience = self.patience()
        while True:
            try:
                return await self.once(step)
            except (ConnectionLostError, ConflictError) as error:
                await patience.pause(error)

    async def once(self, step: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a step. Errors: ConnectionLostError, ConflictError, StorageError."""
        if self._pool is None:
            raise StoreClosedError("postgres")
        async with self._reported(), self._pool.acquire() as connection:
            return await step(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect beside the pool, until the end of the block. Errors: ConnectionLostError, StorageError."""
        async with self._reported():
            connection = await asyncpg.connect(
                self._dsn, statement_cache_size=0, timeout=self._settings.connect_timeout_seconds
            )
            try:
                yield connection
            finally:
                connection.terminate()

    def patience(self) -> "Patience":
        """Return what decides how long to go on trying, from now on."""
        return Patience(self.target, self._settings.retry_seconds)

    @asynccontextmanager
    async def _reported(self) -> AsyncIterator[None]:
        """Let no error of the driver out."""
        try:
            yield
        except (SessionStoreError, asyncpg.ForeignKeyViolationError, asyncpg.ClientConfigurationError):
            raise
        except _CONFLICTS as error:
            raise ConflictError(_problem(error)) from error
        except _LOST as error:
            raise ConnectionLostError(_problem(error)) from error
        except asyncpg.PostgresError as error:
            raise StorageError(self.target, _problem(error)) from error


class Patience:
    """Waits between attempts, longer and longer, until there were enough."""

    def __init__(self, target: str, seconds: float) -> None:
        self._target = target
        self._end = asyncio.get_running_loop().time() + seconds
        self._pause_seconds = 0.01

    async def pause(self, error: Exception) -> None:
        """Wait before the next attempt. Errors: StoreUnavailableError when there should be none."""
        if asyncio.get_running_loop().time() + self._pause_seconds > self._end:
            raise StoreUnavailableError(self._target, str(error)) from error
        await asyncio.sleep(self._pause_seconds * random.uniform(0.5, 1.0))  # noqa: S311
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)


async def _keep(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Leave a connection as it is: no statement here changes the state of its session."""


def _problem(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _target(dsn: str) -> str:
    """Name the database by host and path; whatever else is in the DSN may be secret."""
    parts = urlsplit(dsn)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return f"postgresql://{host}{'' if '@' in parts.path else parts.path}"
