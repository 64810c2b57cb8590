"""Structured logs on standard error: one JSON object a line, or coloured text for a terminal."""

import logging
import sys
from enum import StrEnum

import structlog


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """Which log lines are written: those of this level and worse."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure_logs(log_format: LogFormat, level: LogLevel, worker: int | None = None) -> None:
    """Send the logs of this program, and those of its libraries, to standard error in one form.

    In one of several processes, each line tells the number of the `worker`.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(lambda _logger, _method, line: {**line, "worker": worker})
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(log_format))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def _rendering(log_format: LogFormat) -> list[structlog.typing.Processor]:
    """Tracebacks come without local variables: these hold what agents and people said."""
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format is LogFormat.TEXT:
        plain = structlog.dev.plain_traceback
        return [remove_meta, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [remove_meta, structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]
