"""How records come back out of the folder of a key."""

from collections.abc import Collection, Mapping
from functools import partial

from typing_extensions import override

from sessionstore.errors import DataCorruptionError
from sessionstore_server.backends import checks
from sessionstore_server.backends.base import Commit, LogRange, LogView, View
from sessionstore_server.backends.file import commits, logs
from sessionstore_server.backends.file.codec import RecordCodec
from sessionstore_server.backends.file.folder import Folder
from sessionstore_server.backends.file.known_records import KnownRecords
from sessionstore_server.backends.file.names import COMMITS
from sessionstore_server.backends.file.state import State, Text


class NotAtHandError(Exception):
    """What is asked for has to be read from a file."""


class Reader:
    """Reads from an open folder what a state of its key names. Errors: DataCorruptionError."""

    def __init__(self, codec: RecordCodec, known: KnownRecords, folder: Folder, state: State) -> None:
        self.state = state
        self._codec = codec
        self._known = known
        self._folder = folder

    def at(self, revision: int | None) -> "Reader":
        """Return a reader of a past revision (None: this one). Errors: RevisionNotKeptError."""
        if revision is None:
            return self
        return Reader(self._codec, self._known, self._folder, commits.past(self._folder, self.state, revision))

    def history(self) -> list[Commit]:
        """Return the revisions that can still be read, the oldest first."""
        return [kept.commit for kept in self.state.kept]

    def view(self, documents: Collection[str], ranges: Mapping[str, LogRange]) -> View:
        """Return the documents and log ranges that are asked for."""
        state = self.state
        return View(
            state.revision,
            state.commit_time,
            {name: self.document(name) for name in checks.pick(state.documents, dict.fromkeys(documents))},
            {name: self._log(name, span) for name, span in checks.pick(state.logs, ranges).items()},
        )

    def summary(self) -> bytes:
        """Return the record of the summary; empty when there is none."""
        summary = self.state.summary
        return self._value("summary", summary.record) if summary else b""

    def document(self, name: str) -> bytes:
        """Return a document, which must be there."""
        return self._value(name, self.state.documents[name])

    def _value(self, name: str, text: Text) -> bytes:
        if text.record is None:
            text.record = self._record(name, COMMITS, text.json.encode(), text.line)
        return text.record

    def _log(self, name: str, span: LogRange) -> LogView:
        log = self.state.logs[name]
        records: list[bytes] = []
        for part in logs.parts(log, span.start, span.stop):
            records += self._part(name, part)
        return LogView(tuple(records), span.start, log.length, log.shortened_at)

    def _part(self, name: str, part: logs.Part) -> list[bytes]:
        return self._known.read(self._folder, self.state.key, part, partial(self._record, name, part.file))

    def _record(self, name: str, file: str, text: bytes, line: int) -> bytes:
        try:
            return self._codec.from_json(self.state.key.collection, name, text)
        except ValueError as error:
            raise DataCorruptionError(f"{self._folder.path / file} line {line}", f"{name}: {error}") from error


class Glance(Reader):
    """Returns what is known and reads no file. Errors: NotAtHandError."""

    @override
    def _value(self, name: str, text: Text) -> bytes:
        if text.record is None:
            raise NotAtHandError
        return text.record

    @override
    def _part(self, name: str, part: logs.Part) -> list[bytes]:
        records = self._known.at_hand(self._folder, self.state.key, part)
        if records is None:
            raise NotAtHandError
        return records
