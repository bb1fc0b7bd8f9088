"""Options of the transport under the names that gRPC's core reads."""

from __future__ import annotations

from interlingua_gateway.wire.grpc.server import ServerOptions, channel_options


def test_every_option_reaches_the_core_under_its_name():
    options = ServerOptions(
        listen=("127.0.0.1:0",),
        max_receive_message_bytes=100,
        max_send_message_bytes=200,
        max_concurrent_streams=3,
        keepalive_time_s=4,
        keepalive_timeout_s=5.5,
        keepalive_permit_without_calls=False,
        min_ping_interval_without_data_s=6,
        max_ping_strikes=7,
        max_connection_idle_s=8,
        max_connection_age_s=9,
        max_connection_age_grace_s=10,
        so_reuseport=True,
    )
    assert dict(channel_options(options)) == {
        "grpc.max_receive_message_length": 200,
        "grpc.max_send_message_length": 200,
        "grpc.max_concurrent_streams": 3,
        "grpc.keepalive_time_ms": 4000,
        "grpc.keepalive_timeout_ms": 5500,
        "grpc.keepalive_permit_without_calls": 0,
        # The name without `recv`: the other one is silently ignored.
        "grpc.http2.min_ping_interval_without_data_ms": 6000,
        "grpc.http2.max_ping_strikes": 7,
        "grpc.max_connection_idle_ms": 8000,
        "grpc.max_connection_age_ms": 9000,
        "grpc.max_connection_age_grace_ms": 10000,
        "grpc.so_reuseport": 1,
    }


def test_what_is_unset_is_left_to_the_core():
    names = dict(channel_options(ServerOptions(listen=("a:1",), max_connection_idle_s=None)))
    assert not {name for name in names if name.startswith("grpc.max_connection")}
