"""A program that writes to the session `a` under a lease until it has lost that; run by the tests of leases."""

import asyncio
import sys

from sessionstore import Message, RemoteSessionStore, SessionData, StaleLeaseError

TTL_SECONDS = 0.2


async def hold(address: str) -> None:
    async with RemoteSessionStore(address) as store:
        lease = await store.acquire_lease("a", "holder", TTL_SECONDS)
        session = SessionData(id="a")
        try:
            while True:
                session.messages.append(Message.user("by the holder"))
                await store.save(session, lease_epoch=lease.epoch)
                lease = await store.renew_lease(lease, TTL_SECONDS)
                sys.stdout.write("saved\n")
                sys.stdout.flush()
        except StaleLeaseError as error:
            sys.stdout.write(f"lost {error.epoch}\n")


asyncio.run(hold(sys.argv[1]))
