"""How the backend uses its database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Connections and patience; the defaults are for a server process beside its database."""

    pool_min: int = 1
    """Connections that are kept open."""
    pool_max: int = 10
    """Connections at most. All commits share one, the others are for reads."""
    statement_cache_size: int = 100
    """Prepared statements per connection; 0 behind a pooler that gives each transaction another connection."""
    command_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 10.0
    retry_seconds: float = 10.0
    """How long an operation goes on trying while the database cannot be reached."""
    notify: bool = True
    """Whether processes tell each other of commits by LISTEN and NOTIFY, on a connection more; they look anyway."""
    poll_seconds: float = 0.25
    """How soon to look for commits of other processes while nothing is heard of them."""
