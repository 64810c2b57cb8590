"""A store with sessions of every form, and what two stores have in common."""

import io
from collections.abc import AsyncIterator, Callable
from random import Random

import pytest

from sessionstore import MemorySessionStore, SessionStore
from sessionstore.model import ArtifactReference, ArtifactStore
from sessionstore.moving import Holding, holding
from sessionstore.moving.walking import items_of, read_item
from sessionstore.store import SessionChange
from sessionstore.testing import samples

MOST_CONTENT_BYTES = 64 << 10
BINARY = b"\xff" + Random(1).randbytes(100)
LARGE_TEXT = b"line \xf0\x9f\xa7\xb5\n" * MOST_CONTENT_BYTES

FORMS = ["snapshot", "pieces", "empty records", "records alone", "no text", "large/ 🧵", "large snapshot"]


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch) -> None:
    monkeypatch.setattr(holding, "MOST_CONTENT_BYTES", MOST_CONTENT_BYTES)


@pytest.fixture
def progress() -> Callable[[int, int], None]:
    return lambda _done, _total: None


@pytest.fixture
async def target() -> AsyncIterator[SessionStore]:
    async with MemorySessionStore() as store:
        yield store


@pytest.fixture
async def source() -> AsyncIterator[SessionStore]:
    """A store with a session of each form, two checkpoints, and fields of a later program."""
    async with MemorySessionStore() as store:
        await fill(store)
        yield store


async def fill(store: SessionStore) -> None:
    await store.save_snapshot(samples.with_unknown_fields(samples.snapshot("snapshot")))
    await store.save(samples.with_unknown_fields(samples.session("pieces")))
    await store.save_trace_events("pieces", samples.trace_events())
    await store.save_artifacts("pieces", samples.artifacts())
    await store.save(samples.session("empty records"))
    await store.save_artifacts("empty records", ArtifactStore())
    await store.save_run_records("empty records", [])
    await store.save_subagent_tasks("records alone", samples.subagent_tasks("records alone"))
    await store.save(samples.session("no text"))
    await store.save_artifacts("no text", ArtifactStore.from_snapshot((), ["2", "of nothing"]))
    await refer(store, "no text", BINARY, b"text")
    await store.save(samples.session("large/ 🧵"))
    await refer(store, "large/ 🧵", LARGE_TEXT)
    await store.save_snapshot(samples.snapshot("large snapshot"))
    await refer(store, "large snapshot", LARGE_TEXT, BINARY)
    await store.save_loop_checkpoint("run", samples.loop_checkpoint("run"))
    await store.save_workflow_checkpoint("workflow", samples.workflow_checkpoint("workflow"))


async def refer(store: SessionStore, session_id: str, *contents: bytes) -> None:
    """Let a session refer to contents as artifacts with numbers for uris."""
    blobs = [await store.write_blob(io.BytesIO(content)) for content in contents]
    references = [
        ArtifactReference(
            artifact_id=str(number),
            artifact_uri=str(number),
            tool_name="bash",
            original_bytes=blob.size,
            shown_bytes=0,
            sha256=blob.sha256,
        )
        for number, blob in enumerate(blobs, 1)
    ]
    await store.commit(session_id, SessionChange(artifact_references=references))


async def everything(store: SessionStore) -> dict[str, Holding]:
    """Read all that a store has, by the name of the item."""
    return {str(item): await read_item(store, item) for item in await items_of(store)}


async def texts(store: SessionStore) -> dict[str, tuple[object, ...]]:
    """Return all that a store has as JSON, contents and all, so that stores can be compared without digests."""
    return {name: await _text(store, each) for name, each in (await everything(store)).items()}


async def _text(store: SessionStore, held: Holding) -> tuple[object, ...]:
    contents = [b"".join([piece async for piece in store.read_blob(each.sha256)]) for each in held.references]
    references = [reference.model_dump_json() for reference in held.references]
    return (await store.is_snapshot(held.id), dict(held.texts), references, contents)
