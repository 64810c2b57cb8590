import json
import shutil
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from sessionstore_server.stores import FileSessionStore, MemorySessionStore

FIXTURES = Path(__file__).parent / "fixtures"
"""Folders that were written by hand after the rules of the reference, never by the code under test."""


class ReferenceFolder:
    """A folder of the reference, to be filled by a test."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def take_fixture(self, layout):
        shutil.copytree(FIXTURES / layout, self.path, dirs_exist_ok=True)

    def put(self, path, content):
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def put_session(self, path, session_id, name=""):
        """Write the bare session `plain` with another id and name."""
        text = read_fixture("current", self.current("sessions", "plain"))
        text = text.replace('"id": "plain"', f'"id": {json.dumps(session_id)}', 1)
        return self.put(path, text.replace('"name": ""', f'"name": {json.dumps(name)}', 1))

    def put_traces(self, path, name):
        """Write one trace event of that name."""
        event = {"schema": "s", "kind": "tool_execution", "name": name, "success": True, "exit_code": 0}
        return self.put(path, json.dumps([{**event, "duration_ms": 1, "output_bytes": 0}]))

    def files(self):
        files = (path for path in self.path.rglob("*") if not path.is_dir())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in files}

    @staticmethod
    def current(kind, document_id):
        """Return the path of a document in the current layout."""
        name = "id_" + urlsafe_b64encode(document_id.encode()).decode().rstrip("=")
        return f"v1/{kind}/{name}/artifacts.json" if kind == "artifacts" else f"v1/{kind}/{name}.json"


def read_fixture(layout, path):
    return (FIXTURES / layout / path).read_bytes().decode()


def ignore_progress(done, total):
    assert 0 < done <= total


@pytest.fixture
def folder(tmp_path):
    return ReferenceFolder(tmp_path / "folder")


@pytest.fixture
def target(tmp_path):
    return ReferenceFolder(tmp_path / "target")


@pytest.fixture
def fixture_text():
    """Give the text of a file of a fixture, by layout and path."""
    return read_fixture


@pytest.fixture
def progress():
    return ignore_progress


@pytest.fixture(params=["memory", "file"])
async def store(request, tmp_path):
    store = MemorySessionStore() if request.param == "memory" else FileSessionStore(tmp_path / "store")
    async with store:
        yield store
