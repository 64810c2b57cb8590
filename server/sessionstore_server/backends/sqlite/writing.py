"""The connection that writes. It keeps new rows back, so that those of several commits share statements.

Each statement lets the other threads of Python have their turn, which costs more than itself while they are busy.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import chain

from sessionstore_server.backends.base import Key

_ROWS = 4
"""How many rows a statement adds, unless fewer are left: it keeps a copy of what they hold until it is used again."""


class WritingConnection(sqlite3.Connection):
    """A connection that is told which keys a transaction turns to, and so knows when rows must not wait any longer."""

    _waiting: defaultdict[str, list[tuple[object, ...]]]
    _keys: set[Key]

    @property
    def written(self) -> int:
        """How many rows were ever changed or added, with those that wait."""
        return self.total_changes + sum(map(len, self._waiting.values()))

    def begin(self) -> None:
        """Begin a transaction that writes. Errors: `sqlite3.OperationalError` while another process does."""
        self._waiting, self._keys = defaultdict(list), set()
        self.execute("BEGIN IMMEDIATE")

    def turn_to(self, key: Key) -> None:
        """Store what waits if some of it may be of `key`, to which rows that are added from now on may belong."""
        if key in self._keys:
            self.store()
        self._keys.add(key)

    def add(self, insert: str, row: tuple[object, ...]) -> None:
        """Add a row, by a statement without its values, before the transaction ends."""
        self._waiting[insert].append(row)

    def store(self) -> None:
        """Store what waits."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        for insert, rows in waiting.items():
            whole = len(rows) - len(rows) % _ROWS
            for first in range(0, whole, _ROWS):
                self._insert(insert, rows[first : first + _ROWS])
            for row in rows[whole:]:
                self._insert(insert, [row])

    def finish(self) -> None:
        """Store what waits, and end the transaction durably."""
        self.store()
        self.execute("COMMIT")

    def _insert(self, insert: str, rows: Sequence[tuple[object, ...]]) -> None:
        self.execute(_statement(insert, len(rows), len(rows[0])), tuple(chain.from_iterable(rows)))


@cache
def _statement(insert: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{insert} VALUES {', '.join([row] * rows)}"
