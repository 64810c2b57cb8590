"""A folder that may be read and not written."""

import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from sessionstore_server.backends.base import Change, Key, Splice, Summary
from sessionstore_server.backends.file import FileBackend

WRITER = Path(__file__).with_name("writer.py")
DIGEST = sha256(b"").hexdigest()


async def nothing() -> AsyncIterator[bytes]:
    return
    yield


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
async def test_reading_needs_no_permission_to_write(public: Path) -> None:
    backend = FileBackend(public)
    await backend.open()
    await backend.put_blob(DIGEST, nothing())
    change = Change({"a": b"1"}, {"l": Splice([b"1"])}, summary=Summary(b"s"), blobs=frozenset([DIGEST]))
    await backend.commit(Key("default", "sessions", "hot"), change)
    await backend.aclose()
    before = paths_in(public)
    reader = await create_subprocess_exec(sys.executable, WRITER, "reader", public, stdout=PIPE, stderr=PIPE)
    output, errors = await reader.communicate()
    seen, *refused = output.decode().splitlines()
    assert (json.loads(seen), errors) == (["1", 1, ["hot"], 0, 0, 1], b"")
    assert len(refused) == 5
    for error in refused:
        assert error.startswith(f"{public}: the folder cannot be written ({public}/.work/")
        assert error.endswith(": Permission denied)")
    assert paths_in(public) == before


def paths_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))
