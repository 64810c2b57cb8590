"""What a copy brings over, what it leaves alone, and what it says about both."""

import sys
from collections.abc import AsyncIterator, Awaitable, Sequence

import pytest

from sessionstore import FileSessionStore, MemorySessionStore, RemoteSessionStore, SessionStore, StorageError
from sessionstore.adapter import ServiceAdapter
from sessionstore.errors import InvalidArgumentError
from sessionstore.model import ArtifactStore, SessionData, TraceEvent
from sessionstore.moving import CopyOptions, Note, copy_store, read_holding
from sessionstore.store import SessionChange
from sessionstore.testing import CustomStore, assert_same, samples
from sessionstore_server.backends.memory import MemoryBackend
from sessionstore_server.local import LocalTransport
from sessionstore_server.server import running_server
from sessionstore_server.services.assembly import services_over

from .conftest import FORMS, everything, texts

PLAIN = CopyOptions()
OVERWRITE = CopyOptions(overwrite=True)


@pytest.fixture(params=["memory", "remote"])
async def any_target(request) -> AsyncIterator[SessionStore]:
    async with MemorySessionStore() as store:
        if request.param == "memory":
            yield store
        else:
            async with running_server(store) as server, RemoteSessionStore(server.address) as remote:
                yield remote


async def test_everything_arrives_as_it_was(source, any_target, progress):
    report = await copy_store(source, any_target, PLAIN, progress)
    assert report.is_complete, str(report)
    found = await texts(any_target)
    assert found == await texts(source)
    assert {name for name in found if name.startswith("session")} == {f"session {form!r}" for form in FORMS}
    assert await any_target.load_run_records("empty records") == []
    assert await any_target.load_trace_events("empty records") is None
    assert_same(await any_target.load_artifacts("pieces"), samples.artifacts())
    assert await any_target.list_retained_uris("no text") == ["2", "of nothing"]
    assert_same(await any_target.load_loop_checkpoint("run"), samples.loop_checkpoint("run"))


async def test_the_report_counts_what_was_copied(source, target):
    steps: list[tuple[int, int]] = []
    report = await copy_store(source, target, PLAIN, lambda done, total: steps.append((done, total)))
    holdings = (await everything(source)).values()
    assert report.items == len(holdings) == len(FORMS) + 2
    assert steps == [(number, len(holdings)) for number in range(1, len(holdings) + 1)]
    assert report.records["sessions"] == len(FORMS) - 1
    assert report.records["artifacts"] == 3 * len(samples.artifacts()) + 5
    assert report.records["run_events"] == sum(len(run.events) for run in samples.run_records("")) * 2
    assert report.records["loop_checkpoints"] == 1
    assert report.bytes == sum(holding.size for holding in holdings)


async def test_a_second_copy_writes_nothing(source, target, progress):
    await copy_store(source, target, PLAIN, progress)
    revisions = [await target.revision(form) for form in FORMS]
    report = await copy_store(source, target, PLAIN, progress)
    assert (report.items, report.bytes, report.unchanged) == (0, 0, len(FORMS) + 2)
    assert [await target.revision(form) for form in FORMS] == revisions


class BreakingTransport(LocalTransport):
    """Fails like a full disk when `left` writes were carried out."""

    def __init__(self, left: int) -> None:
        super().__init__(services_over(MemoryBackend()))
        self.left = left

    async def unary(self, method, request):
        self._count(method)
        return await super().unary(method, request)

    async def upload(self, method, requests):
        self._count(method)
        return await super().upload(method, requests)

    def _count(self, method) -> None:
        self.left -= method.path.rpartition("/")[2].startswith(("Save", "Commit", "Write", "Delete"))
        if self.left < 0:
            raise StorageError("disk", "No space left on device")


async def test_an_interrupted_copy_is_completed_from_any_point(source, progress):
    writes, is_interrupted = 0, True
    while is_interrupted:
        transport = BreakingTransport(writes)
        async with ServiceAdapter(transport) as target:
            is_interrupted = not await is_finished(copy_store(source, target, CopyOptions(concurrency=1), progress))
            transport.left = sys.maxsize
            report = await copy_store(source, target, PLAIN, progress)
            assert report.is_complete, f"after {writes} writes: {report}"
            assert await digests(target) == await digests(source)
        writes += 1
    assert writes > 15


async def is_finished(copying: Awaitable[object]) -> bool:
    try:
        await copying
    except StorageError:
        return False
    return True


async def digests(store: SessionStore) -> dict[str, str]:
    return {name: holding.digest for name, holding in (await everything(store)).items()}


async def test_what_differs_is_left_alone_unless_it_may_be_overwritten(source, target, progress):
    for form in FORMS:
        await target.save_snapshot(samples.snapshot(form))
        await target.save_verification_reports(form, [])
    await target.save_loop_checkpoint("run", samples.loop_checkpoint("run").model_copy(update={"turn": 99}))
    await target.save(samples.session("of the target alone"))
    before = await digests(target)

    report = await copy_store(source, target, PLAIN, progress)
    reason = "the target has another one: name --overwrite to replace it"
    assert report.skipped == sorted(
        Note(name, reason) for name in ("loop checkpoint 'run'", *(f"session {form!r}" for form in FORMS))
    )
    assert (report.items, report.unchanged, report.failed) == (1, 0, [])
    after = await digests(target)
    assert after.pop("workflow checkpoint 'workflow'")
    assert after == before

    report = await copy_store(source, target, OVERWRITE, progress)
    assert report.is_complete, str(report)
    after = await texts(target)
    assert after.pop("session 'of the target alone'")
    assert after == await texts(source)


async def test_a_session_that_lacks_records_is_completed(source, target, progress):
    await target.save(await source.load("pieces"))
    report = await copy_store(source, target, CopyOptions(prefix="pieces"), progress)
    assert report.is_complete
    assert await texts(target) == {"session 'pieces'": (await texts(source))["session 'pieces'"]}


async def test_a_session_that_went_on_is_copied_again_when_it_may_be_overwritten(source, target, progress):
    await copy_store(source, target, PLAIN, progress)
    await source.commit("pieces", SessionChange(messages=samples.messages(), trace_events=samples.trace_events()))
    assert len((await copy_store(source, target, PLAIN, progress)).skipped) == 1
    report = await copy_store(source, target, OVERWRITE, progress)
    assert (report.items, report.unchanged) == (1, len(FORMS) + 1)
    assert await digests(target) == await digests(source)


async def test_a_prefix_selects(source, target, progress):
    await copy_store(source, target, CopyOptions(prefix="large"), progress)
    assert sorted(await everything(target)) == ["session 'large snapshot'", "session 'large/ 🧵'"]
    await copy_store(source, target, CopyOptions(prefix="w"), progress)
    assert "workflow checkpoint 'workflow'" in await everything(target)


async def test_a_dry_run_writes_nothing_and_says_what_would_be(source, target, progress):
    await target.save(samples.session("snapshot"))
    planned = await copy_store(source, target, CopyOptions(is_dry_run=True), progress)
    assert list(await everything(target)) == ["session 'snapshot'"]
    done = await copy_store(source, target, PLAIN, progress)
    assert (planned.items, planned.records, planned.bytes) == (done.items, done.records, done.bytes)
    assert planned.skipped == done.skipped != []


@pytest.mark.parametrize("is_served", [False, True])
async def test_what_the_target_does_not_keep_is_told(source, progress, is_served):
    if is_served:
        async with running_server(CustomStore()) as server, RemoteSessionStore(server.address) as target:
            await check_what_is_not_kept(source, target, progress)
    else:
        async with CustomStore() as target:
            await check_what_is_not_kept(source, target, progress)


async def check_what_is_not_kept(source, target, progress):
    for _ in range(2):
        report = await copy_store(source, target, PLAIN, progress)
        told = {note.subject: note.reason for note in report.skipped}
        assert told["trace events of 3 ids"].endswith("does not keep them")
        assert told["snapshots of 2 ids"] == told["subagent tasks of 3 ids"] == told["loop checkpoints of 1 ids"]
        assert set(told) >= {"artifacts of 5 ids", "run records of 2 ids", "workflow checkpoints of 1 ids"}
        assert report.failed == []
    assert report.unchanged == len(FORMS) - 1
    assert await target.list() == sorted(set(FORMS) - {"records alone"})
    assert_same(await target.load("pieces"), await source.load("pieces"))


async def test_a_store_that_keeps_little_is_copied(target, progress):
    async with CustomStore() as source:
        await source.save(samples.session("one"))
        report = await copy_store(source, target, PLAIN, progress)
        assert report.is_complete
        assert_same(await target.load("one"), await source.load("one"))


async def test_a_session_that_somebody_else_writes_is_not_overwritten(source, progress):
    class Busy(MemorySessionStore):
        async def save_snapshot(self, snapshot, **conditions) -> int:
            await self.save(SessionData(id=snapshot.session.id, principal="somebody else"))
            return await super().save_snapshot(snapshot, **conditions)

    async with Busy() as target:
        report = await copy_store(source, target, CopyOptions(prefix="snapshot"), progress)
        assert [note.subject for note in report.failed] == ["session 'snapshot'"]
        assert "revision 1, not 0" in report.failed[0].reason
        assert (await target.load("snapshot")).principal == "somebody else"


async def test_a_target_that_changes_what_it_is_given_is_found_out(source, progress):
    class Careless(CustomStore):
        async def load(self, session_id: str, *, revision: int | None = None) -> SessionData | None:
            session = await super().load(session_id, revision=revision)
            return session and session.model_copy(update={"messages": session.messages[:-1]})

    async with Careless() as target:
        report = await copy_store(source, target, CopyOptions(prefix="pieces"), progress)
        assert "the target gives back" in report.failed[0].reason
        assert report.items == 0


async def test_a_session_is_read_at_one_revision(target, progress):
    class Moving(MemorySessionStore):
        is_still = True

        async def load_trace_events(self, session_id: str) -> Sequence[TraceEvent] | None:
            found = await super().load_trace_events(session_id)
            if self.is_still:
                self.is_still = False
                await self.commit(session_id, SessionChange(trace_events=samples.trace_events()))
                await self.save(SessionData(id=session_id, principal="later"))
            return found

    async with Moving() as moving:
        await moving.save(SessionData(id="one"))
        holding = await read_holding(moving, "one")
        assert holding.counts == {"sessions": 1, "trace_events": len(samples.trace_events())}
        assert (await copy_store(moving, target, PLAIN, progress)).is_complete
        assert (await target.load("one")).principal == "later"


async def test_a_conversation_is_read_back_in_full(source, progress, tmp_path):
    """What the target remembers of a conversation must not hide what became of it."""

    class Rotting(FileSessionStore):
        async def save(self, session, **conditions) -> int:
            revision = await super().save(session, **conditions)
            (log,) = tmp_path.rglob("messages.*")
            log.write_bytes(b"?" + log.read_bytes()[1:])
            return revision

    async with Rotting(tmp_path) as target:
        report = await copy_store(source, target, CopyOptions(prefix="pieces"), progress)
        assert [note.subject for note in report.failed] == ["session 'pieces'"]
        assert "is damaged" in report.failed[0].reason


async def test_what_cannot_be_read_is_told_and_the_rest_is_copied(target, progress, tmp_path):
    async with FileSessionStore(tmp_path) as source:
        for name in ("good", "bad", "ugly"):
            await source.save_snapshot(samples.snapshot(name))
        for log in tmp_path.rglob("bad/messages.*"):
            log.write_bytes(b"?" + log.read_bytes()[1:])
        for commits in tmp_path.rglob("ugly/commits.jsonl"):
            commits.write_text("?")
        report = await copy_store(source, target, PLAIN, progress)
        assert [note.subject for note in report.failed] == ["session 'bad'", "session 'ugly'"]
        assert await target.list() == ["good"]


@pytest.mark.parametrize("concurrency", [0, -1])
async def test_nobody_at_work_is_refused(source, target, progress, concurrency):
    with pytest.raises(InvalidArgumentError, match="concurrency"):
        await copy_store(source, target, CopyOptions(concurrency=concurrency), progress)


async def test_an_artifact_more_makes_another_digest(source):
    before = await read_holding(source, "pieces")
    store = await source.load_artifacts("pieces")
    await source.save_artifacts("pieces", ArtifactStore.from_snapshot(list(store)[:-1], store.retained_uris))
    after = await read_holding(source, "pieces")
    assert before.texts == after.texts
    assert before.digest != after.digest
    assert after.is_part_of(before)
    assert not before.is_part_of(after)
