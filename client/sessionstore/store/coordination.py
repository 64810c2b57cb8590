"""What lets several writers and watchers work on the same sessions."""

from collections.abc import AsyncIterator

from sessionstore.store.base import StoreBase
from sessionstore.store.values import Lease, WatchPage

MAX_LEASE_SECONDS = 24 * 3600
"""The longest time for which a lease is given."""


class CoordinationOperations(StoreBase):
    """Leases, and notices of commits."""

    async def acquire_lease(self, session_id: str, holder: str, ttl_seconds: float) -> Lease:
        """Take the lease of a session for a time of up to a day, by the clock of the store.

        `holder` is any text that tells one writer from another. The present holder keeps its epoch and gets the new
        time; every other one gets a greater epoch, and writes with older ones are refused from then on. The session
        need not exist. Errors: LeaseHeldError while another holder has it; InvalidArgumentError for a time below a
        millisecond or above a day.
        """
        self._refuse("acquire_lease")

    async def renew_lease(self, lease: Lease, ttl_seconds: float) -> Lease:
        """Prolong a lease, also an expired one that nobody took over.

        Errors: StaleLeaseError when it was taken over or released; InvalidArgumentError as in `acquire_lease`.
        """
        self._refuse("renew_lease")

    async def release_lease(self, lease: Lease) -> None:
        """Give a lease up before its time; writes under it are refused then. One that is over already is no error."""
        self._refuse("release_lease")

    def list_leases(self) -> AsyncIterator[Lease]:
        """Yield the leases that are held, by session id in the order of UTF-8 bytes."""
        return self._refusal("list_leases")

    def watch(self, position: str = "") -> AsyncIterator[WatchPage]:
        """Yield the commits to sessions and their records, behind a position (empty: from now on), without end.

        The first page comes at once and tells only the position from which the watch goes on. Commits of one session
        come in their order, after a crash perhaps twice; a page may have none and only move the position. Writers never
        wait for watchers. A watch goes on by itself when its server was away. Errors: PositionExpiredError when it fell
        too far behind, or the data went back to a backup: list the sessions again; StoreUnavailableError when the
        server stays away: go on from the last position.
        """
        return self._refusal("watch")
