"""The commit file of a key: what its last whole, valid line does not name does not exist.

A last line without its line break, or with NUL bytes (a power cut leaves them where blocks were never written), is
an interrupted write: readers pass over it, and the next commit cuts it off. Any other line that fails its checksum is
damage, and nothing is changed.
"""

import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from sessionstore.errors import DataCorruptionError, RevisionNotKeptError, StorageError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder, Stamp, in_doubt, stamp_of
from sessionstore_server.backends.file.lines import SEAL_BYTES, entry_of, line_of
from sessionstore_server.backends.file.names import COMMITS
from sessionstore_server.backends.file.state import Entry, Kept, Position, State

COMPACT_ABOVE_BYTES = 64 * 1024
COMPACT_ABOVE_RATIO = 2
"""A commit file is written anew when it is larger than the first, and so many times what its kept revisions need."""

NEW_COMMITS = "commits.new"
"""The new file until it takes the place of the old one."""

_logger = logging.getLogger(__name__)


def read(folder: Folder, key: Key, known: State | None) -> State:
    """Return the present state of `key`, parsing only the lines that `known` has not seen.

    Errors: DataCorruptionError, also when the folder is that of another key; UnsupportedVersionError.
    """
    stamp = _stamp(folder)
    if known and stamp and known.stamp == stamp:
        return known
    state = _read(folder, key, known)
    state.stamp = stamp
    return state


def is_present(folder: Folder, known: State) -> bool:
    """Tell by the stamp of the file that a state surely is the present one."""
    stamp = _stamp(folder)
    return stamp is not None and known.stamp == stamp


def _stamp(folder: Folder) -> Stamp | None:
    now = time.time_ns()
    return stamp_of(_status(folder), now)


def _read(folder: Folder, key: Key, known: State | None) -> State:
    with _opened(folder) as descriptor:
        status = os.fstat(descriptor)
        if known and known.position.inode == status.st_ino:
            before = known.position.end - SEAL_BYTES
            news = files.read_at(descriptor, before, status.st_size)
            if news[:SEAL_BYTES] == known.position.seal:
                return _extended(folder, known, news[SEAL_BYTES:])
        data = files.read_at(descriptor, 0, status.st_size)
    state = _extended(folder, State(key, position=Position(status.st_ino)), data)
    if not state.revision:
        raise _damaged(folder, 1, "the file has no whole line")
    return state


def owner(folder: Folder) -> Key:
    """Return the key that the folder belongs to. Errors: DataCorruptionError when its first line is not readable."""
    with _file(folder) as descriptor, open(descriptor, "rb", closefd=False) as file:
        line = file.readline()
    try:
        key = entry_of(line, _location(folder)).key
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, 1, error) from error
    if key is None:
        raise _damaged(folder, 1, "it does not tell its key")
    return key


def past(folder: Folder, present: State, revision: int) -> State:
    """Return the state at a kept revision. Errors: as `read`, and RevisionNotKeptError."""
    if all(kept.commit.revision != revision for kept in present.kept):
        raise RevisionNotKeptError(present.key.id, revision)
    if revision == present.revision:
        return present
    with _file(folder) as descriptor:
        lines, _ = _parted(files.read_at(descriptor, 0, os.fstat(descriptor).st_size))
    state = State(present.key)
    for line in lines:
        _apply(folder, state, line)
        if state.revision == revision:
            return state
    # Another process has written the file anew meanwhile.
    raise RevisionNotKeptError(present.key.id, revision)


def write(folder: Folder, state: State, entry: Entry) -> State:
    """Make `entry` the next revision, durably, and return the state after it.

    A commit that starts the history, and a deletion, leave nothing of what was there before: they write the whole
    state into a new file. A file that has grown too large is written anew from the oldest kept revision on.
    Errors: StorageError, which says so when what was written can be seen and could not be taken back.
    """
    line = line_of(entry)
    after = state.copy()
    after.apply(entry, _after_line(state.position, line))
    if len(after.kept) < 2:
        return _replace(folder, state, after, line_of(after.whole()))
    if _is_too_large(after):
        return _replace(folder, state, after, _kept_lines(folder, after.kept[0], state) + line)
    try:
        files.append(folder, COMMITS, state.position.end, line)
    except StorageError:
        with in_doubt():
            files.cut(folder, COMMITS, state.position.end)
        raise
    return after


def renew(folder: Folder, state: State) -> State:
    """Write the file anew: after a sync that failed, another one that succeeds proves nothing."""
    return _replace(folder, state, state.copy(), files.read(folder, COMMITS, 0, state.position.end))


def settle(folder: Folder) -> None:
    """Make durable what is there: whoever wrote it may have been killed before it was."""
    files.sync(folder, COMMITS)
    folder.sync()


def _file(folder: Folder) -> AbstractContextManager[int]:
    _status(folder)
    return _opened(folder)


def _status(folder: Folder) -> os.stat_result:
    try:
        status = folder.stat(COMMITS)
    except FileNotFoundError:
        raise files.missing(folder, COMMITS) from None
    if not stat.S_ISREG(status.st_mode):
        raise DataCorruptionError(_location(folder), "it is not a regular file; links are not followed")
    return status


@contextmanager
def _opened(folder: Folder) -> Iterator[int]:
    try:
        with folder.file(COMMITS, os.O_RDONLY) as descriptor:
            yield descriptor
    except FileNotFoundError:
        raise files.missing(folder, COMMITS) from None


def _extended(folder: Folder, state: State, data: bytes) -> State:
    lines, torn = _parted(data)
    if not lines and len(torn) == state.torn_bytes:
        return state
    after = state.copy()
    for line in lines:
        _apply(folder, after, line)
    after.torn_bytes = len(torn)
    if torn:
        _report_torn(folder, len(torn))
    return after


def _apply(folder: Folder, state: State, line: bytes) -> None:
    try:
        state.apply(entry_of(line, _location(folder)), _after_line(state.position, line))
    except (ValueError, RecursionError) as error:
        raise _damaged(folder, state.position.lines + 1, error) from error


def _parted(data: bytes) -> tuple[list[bytes], bytes]:
    """Part the lines that were written whole from what an interrupted write left behind them."""
    *texts, torn = data.split(b"\n")
    lines = [text + b"\n" for text in texts]
    if lines and not torn and b"\0" in lines[-1]:
        torn = lines.pop()
    return lines, torn


def _report_torn(folder: Folder, size: int) -> None:
    path = _location(folder)
    problem = "a write was interrupted, or is under way"
    _logger.warning("passed over the end of %s: %s", path, problem, extra={"path": path, "bytes": size})


def _after_line(position: Position, line: bytes) -> Position:
    return Position(position.inode, position.end + len(line), position.lines + 1, line[-SEAL_BYTES:])


def _is_too_large(state: State) -> bool:
    size = state.position.end
    if size <= COMPACT_ABOVE_BYTES:
        return False
    return size > COMPACT_ABOVE_RATIO * (state.live_bytes() + size - state.kept[0].end)


def _kept_lines(folder: Folder, oldest: Kept, state: State) -> bytes:
    """Return what tells the revisions from `oldest` to that of `state`: a line of the whole state, and the rest."""
    whole = past(folder, state, oldest.commit.revision).whole()
    return line_of(whole) + files.read(folder, COMMITS, oldest.end, state.position.end)


def _replace(folder: Folder, before: State, after: State, data: bytes) -> State:
    """Put a file in place of the commit file that tells `after` in its last line; return that as it is then."""
    files.create(folder, NEW_COMMITS, data)
    inode = folder.stat(NEW_COMMITS).st_ino
    _clear_place(folder)
    folder.rename(NEW_COMMITS, folder, COMMITS)
    # Nobody sees the folder of a new key yet.
    with in_doubt() if before.revision else nullcontext():
        folder.sync()
    after.move(Position(inode, len(data), data.count(b"\n"), data[-SEAL_BYTES:]))
    return after


def _clear_place(folder: Folder) -> None:
    """Remove a folder that stands where the commit file belongs; a rename replaces anything else."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(folder.stat(COMMITS).st_mode):
            folder.remove_tree(COMMITS)


def _damaged(folder: Folder, line: int, problem: object) -> DataCorruptionError:
    return DataCorruptionError(f"{_location(folder)} line {line}", str(problem))


def _location(folder: Folder) -> str:
    return str(folder.path / COMMITS)
