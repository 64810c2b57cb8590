"""The remote store: the adapter over gRPC, to one server or to several over the same data."""

from collections.abc import Sequence
from typing import Self
from urllib.parse import parse_qsl

from typing_extensions import override

from sessionstore.adapter import ServiceAdapter
from sessionstore.channel_transport import ChannelTransport
from sessionstore.errors import InvalidArgumentError

DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_CONNECT_SECONDS = 5.0
_URL_FORM = "grpc://HOST:PORT, or grpc://HOST:PORT,HOST:PORT for servers over the same data"
_SWITCHES = {"true": True, "false": False}


class RemoteSessionStore(ServiceAdapter):
    """A store on a server at `target`, such as `localhost:50051`, or on several servers over the same data.

    Calls spread over the servers and move on when one goes away. A call takes at most `timeout_seconds`, of which
    finding a server takes at most `connect_seconds`; a large one, or a stream, may take longer while it moves. With
    `multiplex` small calls share one stream to each server, where they cost a fraction of a call of its own.
    """

    shared_by_processes = True

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        connect_seconds: float = DEFAULT_CONNECT_SECONDS,
        multiplex: bool = True,
    ) -> None:
        super().__init__(ChannelTransport(target, timeout_seconds, connect_seconds, multiplex=multiplex))

    @override
    @classmethod
    def from_url(cls, url: str, *, create: bool = True) -> Self:
        """Make a store from `grpc://HOST:PORT,...`, of which `?multiplex=false` is the one option."""
        addresses, _, options = url.removeprefix("grpc://").partition("?")
        targets = addresses.split(",")
        if not url.startswith("grpc://") or not all(map(_is_address, targets)):
            raise InvalidArgumentError(field="url", problem=f"{url!r} must have the form {_URL_FORM}")
        return cls(targets, **_options(options))


def _is_address(target: str) -> bool:
    host, _, port = target.rpartition(":")
    return bool(host) and port.isdigit()


def _options(query: str) -> dict[str, bool]:
    options = parse_qsl(query, keep_blank_values=True)
    for name, value in options:
        if name != "multiplex" or value not in _SWITCHES:
            problem = f"{name}={value} is no option of it: there is multiplex=true and multiplex=false"
            raise InvalidArgumentError(field="url", problem=problem)
    return {name: _SWITCHES[value] for name, value in options}
