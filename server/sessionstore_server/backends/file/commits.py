"""The commit file of a key: what its last whole, valid line does not name does not exist.

A last line without its line break, or with NUL bytes (a power cut leaves them where blocks were never written), is
an interrupted write: readers pass over it, and the next commit cuts it off. Any other line that fails its checksum is
damage, and nothing is changed.
"""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends.base import Key
from sessionstore_server.backends.file import files
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.lines import SEAL_BYTES, entry_of, line_of
from sessionstore_server.backends.file.names import COMMITS
from sessionstore_server.backends.file.state import Entry, Position, State

COMPACT_ABOVE_BYTES = 64 * 1024
COMPACT_ABOVE_RATIO = 4
"""A commit file is written anew when it is larger than the first, and so many times what its last state needs."""

NEW_COMMITS = "commits.new"
"""The new file until it takes the place of the old one."""

_logger = logging.getLogger(__name__)


def read(folder: Folder, key: Key, known: State | None) -> State:
    """Return the present state of `key`, parsing only the lines that `known` has not seen.

    Errors: DataCorruptionError, also when the folder is that of another key; UnsupportedVersionError.
    """
    with _file(folder) as descriptor:
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


def write(folder: Folder, state: State, entry: Entry) -> State:
    """Make `entry` the next revision, durably, and return the state after it.

    The first commit, one that finds the file grown too large, and a deletion, which must leave nothing of what was
    there before, write the whole state into a new file.
    """
    line = line_of(entry)
    after = state.copy()
    after.apply(entry, _after_line(state.position, line))
    if not state.revision or not after.exists or _is_too_large(after):
        return _replace(folder, after)
    files.append(folder, COMMITS, state.position.end, line)
    return after


def settle(folder: Folder) -> None:
    """Make durable what is there: whoever wrote it may have been killed before it was."""
    files.sync(folder, COMMITS)
    folder.sync()


@contextmanager
def _file(folder: Folder) -> Iterator[int]:
    try:
        if not stat.S_ISREG(folder.stat(COMMITS).st_mode):
            raise DataCorruptionError(_location(folder), "it is not a regular file; links are not followed")
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
        try:
            after.apply(entry_of(line, _location(folder)), _after_line(after.position, line))
        except (ValueError, RecursionError) as error:
            raise _damaged(folder, after.position.lines + 1, error) from error
    after.torn_bytes = len(torn)
    if torn:
        _report_torn(folder, len(torn))
    return after


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
    return size > COMPACT_ABOVE_BYTES and size > COMPACT_ABOVE_RATIO * state.live_bytes()


def _replace(folder: Folder, state: State) -> State:
    whole = state.whole()
    line = line_of(whole)
    files.create(folder, NEW_COMMITS, line)
    inode = folder.stat(NEW_COMMITS).st_ino
    _clear_place(folder)
    folder.rename(NEW_COMMITS, folder, COMMITS)
    folder.sync()
    written = State(state.key)
    written.apply(whole, _after_line(Position(inode), line))
    return written


def _clear_place(folder: Folder) -> None:
    """Remove a folder that stands where the commit file belongs; a rename replaces anything else."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(folder.stat(COMMITS).st_mode):
            folder.remove_tree(COMMITS)


def _damaged(folder: Folder, line: int, problem: object) -> DataCorruptionError:
    return DataCorruptionError(f"{_location(folder)} line {line}", str(problem))


def _location(folder: Folder) -> str:
    return str(folder.path / COMMITS)
