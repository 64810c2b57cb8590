"""What both ends of a gRPC channel agree on: limits and keepalive."""

MAX_MESSAGE_BYTES = (1 << 31) - 1
"""The largest message there is: that of protobuf."""
DIRECT_BYTES = 4 << 20
"""The largest request and response that this library moves in one message; it sends and fetches larger ones in pieces.
The server takes messages of any size from others, whose own limits these are to raise or to keep to."""
MULTIPLEXED_BYTES = 256 << 10
"""The largest request that goes over a stream with others; a larger one would hold them up."""
FRAME_BYTES = 1 << 20
"""Calls over a stream, and answers, are gathered into frames of about this size; a larger one is a frame of its own."""
LONGEST_WAIT_SECONDS = 0.002
"""For how long a call or answer that can be sent over a stream waits for other work, at both ends."""
ANSWER_LIMIT_KEY = "sessionstore-max-answer-bytes"
"""The metadata key under which a client may tell the largest response it takes; a larger one becomes an error."""

KEEPALIVE_SECONDS = 30
"""How often a client makes sure that an idle connection still stands."""
KEEPALIVE_TIMEOUT_SECONDS = 10
"""How long it waits for the answer before it gives the connection up."""

ChannelOptions = list[tuple[str, int]]

_KEEPALIVE: ChannelOptions = [
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
]
_UNLIMITED: ChannelOptions = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]

CLIENT_OPTIONS: ChannelOptions = [
    *_UNLIMITED,
    *_KEEPALIVE,
    ("grpc.http2.max_pings_without_data", 0),
    # Calls are repeated by the transport, which knows which of them may be.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
SERVER_OPTIONS: ChannelOptions = [
    *_UNLIMITED,
    *_KEEPALIVE,
    # A client may ping twice as often as ours does before it is taken for a nuisance.
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 500),
    ("grpc.so_reuseport", 0),
]
