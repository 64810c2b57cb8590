"""How a change becomes a revision: first what the commit line will name, synced, then the line."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from sessionstore.errors import StorageError
from sessionstore_server.backends import checks, ledger
from sessionstore_server.backends.base import Change, Commit, FeedEntry, Key, Request, Splice
from sessionstore_server.backends.file import commits, logs
from sessionstore_server.backends.file.blobs import Blobs, links_of
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.feed_writer import FeedWriter
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.names import BLOBS, COMMITS
from sessionstore_server.backends.file.state import Entry, Log, State, files_of

_logger = logging.getLogger(__name__)


class Source(NamedTuple):
    """What a fork starts from; the caller holds its lock."""

    folder: Folder
    state: State


class Writer:
    """Writes changes into the folder of a key, for a caller who holds its lock."""

    def __init__(self, codec: RecordCodec, blobs: Blobs, feed: FeedWriter) -> None:
        self._codec = codec
        self._blobs = blobs
        self._feed = feed

    def write(self, folder: Folder, state: State, change: Change, source: Source | None) -> State:
        """Apply `change` to `state` and return the state after it; after an error `state` still is the present one."""
        base = _forked(state, source.state) if source else state
        kept = _kept_records(base, change)
        added = (base.blobs if change.blobs is None else change.blobs) - state.blobs
        if missing := self._blobs.missing(added):
            raise checks.unknown_blobs(missing)
        if source:
            _share_logs(source, folder, base)
        entry = self._entry(base, change, self._spliced(folder, base, change.logs, kept))
        if added:
            self._blobs.link(added, folder)
        after = self._committed(folder, base, entry)
        _remember(after, change)
        return after

    def delete(self, folder: Folder, state: State, request: Request | None) -> State:
        """Leave of the key only its revision and its ledger; return the state after it.

        What a failure or a kill leaves of the rest goes with the next call that changes the key, or with the sweep.
        """
        commit = _next_commit(state)
        entry = Entry(
            commit.revision,
            commit.commit_time,
            key=_new_key(state),
            deleted=True,
            answers=ledger.answer_to(request, commit, existed=state.exists),
        )
        return self._committed(folder, state, entry)

    def _committed(self, folder: Folder, state: State, entry: Entry) -> State:
        # The folder of a new key is synced and told of as a whole, when it comes in sight.
        is_new = not state.revision
        if not is_new and not files_of({**state.logs, **entry.logs}) <= state.files:
            folder.sync()
        told = FeedEntry(state.key.id, entry.revision, entry.commit_time, entry.deleted)
        with nullcontext() if is_new else self._feed.telling(state.key, told):
            after = commits.write(folder, state, entry)
        if not after.exists or _drops(state, after):
            self._remove_dropped(folder, after)
        return after

    def _entry(self, state: State, change: Change, spliced: Mapping[str, Log]) -> Entry:
        commit = _next_commit(state)
        return Entry(
            commit.revision,
            commit.commit_time,
            documents={name: self._json(state, name, record).decode() for name, record in _news(state, change).items()},
            removed_documents=tuple(checks.removed(state.documents, change.documents)),
            logs=spliced,
            removed_logs=tuple(checks.removed(state.logs, change.logs)),
            summary=self._json(state, "summary", change.summary.record).decode() if change.summary else None,
            attributes=change.summary.attributes if change.summary else {},
            blobs=change.blobs if change.blobs != state.blobs else None,
            key=_new_key(state),
            answers=ledger.answer_to(change.request, commit),
        )

    def _spliced(
        self, folder: Folder, state: State, splices: Mapping[str, Splice | None], kept: Mapping[str, int]
    ) -> dict[str, Log]:
        spliced = {}
        for name, keep in kept.items():
            splice = splices[name]
            lines = [self._json(state, name, record) for record in splice.append] if splice else []
            spliced[name] = _written(folder, state, name, keep, lines)
        return spliced

    def _json(self, state: State, name: str, record: bytes) -> bytes:
        text = self._codec.to_json(state.key.collection, name, record)
        if b"\n" in text or b"\0" in text:
            raise ValueError(f"the codec wrote more than one line, or a NUL byte, for {name!r}")
        return text

    def _remove_dropped(self, folder: Folder, state: State) -> None:
        """Remove what the new revision no longer names; it is durable already, so a failure here is only reported."""
        try:
            for file in _unnamed_files(folder, state):
                folder.remove(file)
            self._blobs.unlink(links_of(folder) - state.blobs, folder)
        except (StorageError, FileNotFoundError) as error:
            folder.tidied_at = None
            _logger.warning("left for the next commit: %s", error)


def remove_leftovers(folder: Folder, state: State) -> None:
    """Remove files and blob links that no commit line names: an interrupted commit made them, or gave them up."""
    if folder.tidied_at == folder.changed_at(BLOBS):
        return
    names, digests = _unnamed_files(folder, state), links_of(folder) - state.blobs
    if names or digests:
        # The line that gave them up must not be lost after them.
        commits.settle(folder)
    for name in names:
        _removed(folder, name)
    for digest in digests:
        with folder.folder(BLOBS) as links:
            _removed(links, digest)
    folder.tidied_at = folder.changed_at(BLOBS)


def _removed(folder: Folder, name: str) -> None:
    folder.remove(name)
    path = str(folder.path / name)
    _logger.warning("removed what an interrupted commit left: %s", path, extra={"path": path})


def _news(state: State, change: Change) -> dict[str, bytes]:
    """Return the documents that a change sets, without those that are known to be so already."""
    wanted = {name: record for name, record in change.documents.items() if record is not None}
    known = {name: state.documents[name].record for name in wanted.keys() & state.documents.keys()}
    return {name: record for name, record in wanted.items() if known.get(name) != record}


def _remember(state: State, change: Change) -> None:
    """Note in the state after a change what its texts stand for, so that nobody has to parse them."""
    for name, record in change.documents.items():
        if record is not None:
            state.documents[name].record = record
    if change.summary and state.summary:
        state.summary.record.record = change.summary.record


def _forked(state: State, origin: State) -> State:
    """Return what the change of an absent key, which is at `state`, is applied to when it starts from `origin`."""
    revision = state.revision + 1
    return replace(
        state,
        answers=dict(state.answers),
        documents=dict(origin.documents),
        logs={name: logs.forked(name, log, revision) for name, log in origin.logs.items()},
        summary=origin.summary,
        blobs=origin.blobs,
    )


def _share_logs(source: Source, folder: Folder, fork: State) -> None:
    for name, log in fork.logs.items():
        logs.share(source.folder, source.state.logs[name], folder, log)


def _kept_records(state: State, change: Change) -> dict[str, int]:
    kept = {}
    for name, splice in change.logs.items():
        if splice is not None:
            log = state.logs.get(name)
            length = log.length if log else 0
            checks.check_base(state.key, name, splice, length, log.shortened_at if log else None, state.revision)
            kept[name] = checks.kept_records(name, splice, length)
    return kept


def _written(folder: Folder, state: State, name: str, keep: int, lines: list[bytes]) -> Log:
    revision = state.revision + 1
    log = state.logs.get(name) or Log(shortened_at=revision)
    if keep == log.length:
        return logs.append(folder, name, log, lines, revision)
    return logs.shorten(folder, name, log, keep, lines, revision)


def _drops(state: State, after: State) -> bool:
    """Tell whether files or blobs of `state`, also of one that a fork has not kept yet, are gone after it."""
    return not (state.files | files_of(state.logs) <= after.files and state.blobs <= after.blobs)


def _next_commit(state: State) -> Commit:
    return Commit(state.revision + 1, datetime.now(UTC))


def _new_key(state: State) -> Key | None:
    """Return what the first line of a file has to tell besides the change."""
    return None if state.revision else state.key


def _unnamed_files(folder: Folder, state: State) -> set[str]:
    ours = {name for name in folder.names() if name.endswith(".jsonl") or name == commits.NEW_COMMITS}
    return ours - state.files - {COMMITS}
