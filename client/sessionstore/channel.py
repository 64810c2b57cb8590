"""What both ends of a gRPC channel agree on: limits and keepalive."""

MAX_MESSAGE_BYTES = 256 << 20
"""The largest request: that of the largest document the reference takes."""
MAX_RESPONSE_BYTES = MAX_MESSAGE_BYTES + (1 << 16)
"""The largest response: what the largest request brought, and what is said beside it."""

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
RETRY_BUFFER_BYTES = 8 << 20
"""What a client keeps of a call for a repeat; a larger request is sent once."""

CLIENT_OPTIONS: ChannelOptions = [
    ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    *_KEEPALIVE,
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
SERVER_OPTIONS: ChannelOptions = [
    ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    *_KEEPALIVE,
    # A client may ping twice as often as ours does before it is taken for a nuisance.
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 500),
    ("grpc.so_reuseport", 0),
]
