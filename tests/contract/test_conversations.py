"""Random edits by two clients: what is stored is what was saved last."""

from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sessionstore import FileSessionStore, MemorySessionStore
from sessionstore.testing import check_conversations


@asynccontextmanager
async def open_file_store():
    with TemporaryDirectory() as folder:
        async with FileSessionStore(Path(folder) / "store") as store:
            yield store


def test_memory_store(clients_of):
    check_conversations(clients_of(MemorySessionStore), examples=150)


def test_file_store(clients_of):
    check_conversations(clients_of(open_file_store), examples=20)


def test_remote_memory_store(clients_of, open_served):
    check_conversations(clients_of(lambda: open_served(MemorySessionStore())), examples=20)


def test_remote_file_store(clients_of, open_served, tmp_path_factory):
    check_conversations(
        clients_of(lambda: open_served(FileSessionStore(tmp_path_factory.mktemp("store")))), examples=20
    )
