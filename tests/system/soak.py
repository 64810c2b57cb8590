"""The soak: clients change sessions without end while their servers are killed and started again.

    python -m tests.system.soak --rounds 200 --store file --servers 2

Each round waits for some more acknowledgements, kills a server (SIGKILL) and starts it again on its port. In the end
the sessions are compared with what the journals of the clients say was acknowledged. `--store` is `file` or `sqlite`;
several servers share one folder or database. The choice of operations and of kills depends on `--seed` only, their
timing does not.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.soak_client import SHARED, Held, Model, Step, found

from sessionstore import Message, RemoteSessionStore, SessionData, SessionStore

REPOSITORY = Path(__file__).parents[2]
SERVE = (sys.executable, "-m", "sessionstore_server.cli", "serve")
CLIENT = (sys.executable, "-m", "tests.system.soak_client")
CLIENTS = 3
MOST_ACKNOWLEDGED = 20
"""How many acknowledgements a round waits for at most."""
PROGRESS_SECONDS = 60
"""How long a round may take; then the clients hang."""


@dataclass(frozen=True)
class Soak:
    """What is asked for."""

    folder: Path
    store: str = "file"
    servers: int = 1
    rounds: int = 200
    seed: int = 0

    @property
    def url(self) -> str:
        return f"{self.store}:{self.folder / 'data'}{'.db' if self.store == 'sqlite' else ''}"


@dataclass
class Server:
    url: str
    log: Path
    address: str = "127.0.0.1:0"
    process: Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *SERVE, "--store", self.url, "--listen", self.address, stdout=PIPE, stderr=log
            )
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        assert line.startswith("listening on "), self.log.read_text()
        self.address = line.removeprefix("listening on ").strip()

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


@dataclass
class Journal:
    """What one client printed, and what must therefore be stored."""

    process: Process
    path: Path
    model: Model = field(default_factory=Model)
    tried: Step | None = None
    """What was tried and not yet acknowledged."""
    in_doubt: dict[str, list[Held | None]] = field(default_factory=dict)
    """What a session may hold after a step of which nobody knows whether it happened."""
    shared: list[int] = field(default_factory=list)
    shared_in_doubt: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    async def read(self, acknowledged: asyncio.Queue[None]) -> None:
        assert self.process.stdout is not None
        with self.path.open("wb") as journal:
            async for line in self.process.stdout:
                journal.write(line)
                self._take(**json.loads(line))
                if self.tried is None:
                    acknowledged.put_nowait(None)
        if self.tried is not None:
            self._doubt(self.tried)

    def _take(self, phase: str, revision: int, **step: str | int) -> None:
        self.tried = Step(**step) if phase == "try" else None  # type: ignore[arg-type]
        if phase == "ack":
            self._acknowledge(Step(**step), revision)  # type: ignore[arg-type]
        elif phase == "doubt":
            self._doubt(Step(**step))  # type: ignore[arg-type]

    def _acknowledge(self, step: Step, revision: int) -> None:
        self.counts[step.kind] += 1
        if step.kind == "shared":
            self.shared.append(step.number)
        else:
            self.model.apply(step, revision)

    def _doubt(self, step: Step) -> None:
        self.counts["doubt"] += 1
        if step.kind == "shared":
            self.shared_in_doubt.append(step.number)
            return
        self.in_doubt[step.other or step.id] = self.model.possible(step)
        if not step.other:
            self.model.sessions.pop(step.id, None)


async def run(soak: Soak) -> Counter[str]:
    """Carry the soak out and return how much was done. Errors: AssertionError when a promise was broken."""
    chance = random.Random(soak.seed)
    async with AsyncExitStack() as stack:
        servers = [Server(soak.url, soak.folder / f"server-{number}.log") for number in range(soak.servers)]
        for server in servers:
            stack.push_async_callback(server.kill)
            await server.start()
        async with RemoteSessionStore(servers[0].address) as store:
            await store.save(SessionData(id=SHARED))
        acknowledged: asyncio.Queue[None] = asyncio.Queue()
        journals = [await started(soak, servers, number) for number in range(CLIENTS)]
        for journal in journals:
            stack.callback(end, journal.process)
        reading = [asyncio.create_task(journal.read(acknowledged)) for journal in journals]
        for _ in range(soak.rounds):
            async with asyncio.timeout(PROGRESS_SECONDS):
                await progress(acknowledged, chance.randint(1, MOST_ACKNOWLEDGED), reading)
                victim = chance.choice(servers)
                await victim.kill()
                await victim.start()
        await stop(journals, reading)
        async with RemoteSessionStore(servers[0].address) as store:
            await check(store, journals)
    return sum((journal.counts for journal in journals), Counter(kills=soak.rounds))


async def started(soak: Soak, servers: list[Server], number: int) -> Journal:
    address = servers[number % len(servers)].address
    errors = (soak.folder / f"client-{number}.log").open("wb")
    with errors:
        process = await asyncio.create_subprocess_exec(
            *CLIENT,
            address,
            f"c{number}",
            f"{soak.seed} {number}",
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            cwd=REPOSITORY,
        )
    return Journal(process, soak.folder / f"journal-{number}.jsonl")


async def progress(acknowledged: asyncio.Queue[None], count: int, reading: list[asyncio.Task[None]]) -> None:
    for _ in range(count):
        told = asyncio.create_task(acknowledged.get())
        await asyncio.wait([told, *reading], return_when=asyncio.FIRST_COMPLETED)
        assert told.done(), "a client has ended: see client-*.log"


async def stop(journals: list[Journal], reading: list[asyncio.Task[None]]) -> None:
    for journal in journals:
        assert journal.process.stdin is not None
        journal.process.stdin.close()
    await asyncio.gather(*reading)
    assert [await journal.process.wait() for journal in journals] == [0] * len(journals), "see client-*.log"


def end(process: Process) -> None:
    if process.returncode is None:
        process.kill()


async def check(store: SessionStore, journals: list[Journal]) -> None:
    """Compare everything with the journals, and nothing but what they name."""
    expected = {SHARED}
    for journal in journals:
        for id_, held in journal.model.sessions.items():
            assert await found(store, id_) == held, f"{id_} is not {held}"
            expected.add(id_)
        for id_, possible in journal.in_doubt.items():
            if await check_doubtful(store, id_, possible):
                expected.add(id_)
    assert set(await store.list()) == expected
    await check_shared(store, journals)


async def check_doubtful(store: SessionStore, id_: str, possible: list[Held | None]) -> bool:
    present = await found(store, id_)
    texts = [held and (held.messages, held.traces, held.events, held.artifacts) for held in possible]
    known = present and (present.messages, present.traces, present.events, present.artifacts)
    assert known in texts, f"{id_} holds {known}, which is none of {texts}"
    return present is not None


async def check_shared(store: SessionStore, journals: list[Journal]) -> None:
    """Each client's messages are there once and in its order; what is in doubt may be there."""
    session = await store.load(SHARED)
    assert session is not None
    present = [text_of(message).split() for message in session.messages]
    for name, journal in enumerate(journals):
        numbers = [int(number) for client, number in present if client == f"c{name}"]
        assert numbers == sorted(set(numbers))
        assert set(journal.shared) <= set(numbers) <= {*journal.shared, *journal.shared_in_doubt}
    assert await store.revision(SHARED) == 1 + len(present)


def text_of(message: Message) -> str:
    return message.content[0].text


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--store", choices=["file", "sqlite"], default="file")
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--folder", type=Path, help="where logs, journals and data stay (a new temporary folder)")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"seed {options.seed}, folder {folder}", flush=True)  # noqa: T201
    counts = asyncio.run(run(Soak(folder, options.store, options.servers, options.rounds, options.seed)))
    print(json.dumps(counts))  # noqa: T201


if __name__ == "__main__":
    main()
