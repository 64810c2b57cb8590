"""Random operations: every store answers as the memory store does."""

from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sessionstore import FileSessionStore, MemorySessionStore
from sessionstore.testing import check_against_memory


@asynccontextmanager
async def open_file_store():
    with TemporaryDirectory() as folder:
        async with FileSessionStore(Path(folder) / "store") as store:
            yield store


def test_file_store():
    check_against_memory(open_file_store)


def test_remote_memory_store(open_served):
    check_against_memory(lambda: open_served(MemorySessionStore()))


def test_remote_file_store(open_served, tmp_path_factory):
    check_against_memory(lambda: open_served(FileSessionStore(tmp_path_factory.mktemp("store"))))
