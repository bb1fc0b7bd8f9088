"""Metrics and probes over HTTP."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interlingua.v1 import generate_pb2
from interlingua_gateway.core.errors import InternalError
from tests.support.failures import failure
from tests.support.gateway import Running, running, scripted
from tests.support.http_get import http_get
from tests.support.requests import ask, embed

FAMILIES = {
    "grpc_server_started": "counter",
    "grpc_server_handled": "counter",
    "grpc_server_msg_received": "counter",
    "grpc_server_msg_sent": "counter",
    "grpc_server_handling_seconds": "histogram",
    "gen_ai_server_request_duration_seconds": "histogram",
    "gen_ai_server_time_to_first_token_seconds": "histogram",
    "gen_ai_server_time_per_output_token_seconds": "histogram",
    "gen_ai_client_operation_duration_seconds": "histogram",
    "gen_ai_client_token_usage": "histogram",
    "interlingua_upstream_attempts": "counter",
    "interlingua_upstream_errors": "counter",
    "interlingua_upstream_attempts_in_flight": "gauge",
    "interlingua_calls_in_flight": "gauge",
    "interlingua_cost_usd": "counter",
    "interlingua_unpriced_calls": "counter",
    "interlingua_estimated_usage_calls": "counter",
    "interlingua_build_info": "gauge",
    "process_cpu_seconds": "counter",
    "process_resident_memory_bytes": "gauge",
}
METHOD = {"grpc_service": "interlingua.v1.GatewayService", "grpc_type": "unary"}


def tree(**scripts: object) -> dict[str, object]:
    return {**scripted(**scripts), "http": {"listen": "127.0.0.1:0"}}


async def scrape(gateway: Running) -> str:
    answer = await http_get(gateway.built.http.address, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def value(text: str, name: str, **labels: str) -> float:
    """The sum of the samples `name` that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def series(text: str) -> set[str]:
    """Names and labels of all samples of ours."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {re.sub(r" [^ ]+$", "", line) for line in lines}


async def test_families_have_their_names_and_exist_from_the_start(start):
    gateway = await start(tree())
    text = await scrape(gateway)
    found = {f.name: f.type for f in text_string_to_metric_families(text)}
    assert found == {**found, **FAMILIES}
    for method in ("Generate", "Embed"):
        for code in ("OK", "InvalidArgument", "Unavailable", "Canceled", "DeadlineExceeded"):
            labels = f'grpc_code="{code}",grpc_method="{method}"'
            assert any(
                sample.name == "grpc_server_handled_total"
                and sample.labels == {**METHOD, "grpc_method": method, "grpc_code": code}
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            ), labels


async def test_calls_are_counted_by_code(start):
    gateway = await start(tree(down=[{"do": "fail"}]))
    await gateway.calls.Generate(ask("one two"))
    await failure(gateway.calls.Generate(ask(model="down")))
    await failure(gateway.calls.Generate(generate_pb2.GenerateRequest()))
    async for _ in gateway.calls.StreamGenerate(ask("one two three")):
        pass
    await gateway.calls.Embed(embed("a"))
    text = await scrape(gateway)
    generate = {"grpc_method": "Generate"}
    assert value(text, "grpc_server_started_total", **generate) == 3
    assert value(text, "grpc_server_handled_total", **generate) == 3
    for code in ("OK", "Unavailable", "InvalidArgument"):
        assert value(text, "grpc_server_handled_total", **generate, grpc_code=code) == 1
    assert value(text, "grpc_server_msg_sent_total", **generate) == 1
    assert value(text, "grpc_server_handling_seconds_count", **generate) == 3
    streamed = {"grpc_method": "StreamGenerate", "grpc_type": "server_stream"}
    assert value(text, "grpc_server_msg_sent_total", **streamed) == 7
    assert value(text, "gen_ai_server_time_to_first_token_seconds_count") == 1
    assert value(text, "gen_ai_server_time_per_output_token_seconds_count") == 1
    down = {"deployment": "down", "provider": "stage"}
    assert value(text, "interlingua_upstream_attempts_total", **down, outcome="failed") == 2
    assert value(text, "interlingua_upstream_errors_total", **down) == 2  # it was tried again
    tokens = {"gen_ai_token_type": "output", "gen_ai_operation_name": "chat"}
    assert value(text, "gen_ai_client_token_usage_sum", **tokens) == 5
    errors = {"error_type": "UPSTREAM_UNAVAILABLE", "gen_ai_request_model": "down"}
    assert value(text, "gen_ai_server_request_duration_seconds_count", **errors) == 1
    # The scripted provider sells nothing: what its calls cost is not known, which is not 0.
    assert value(text, "interlingua_unpriced_calls_total") == 3
    assert value(text, "interlingua_cost_usd_total") == 0
    assert value(text, "interlingua_calls_in_flight") == 0
    assert value(text, "interlingua_upstream_attempts_in_flight") == 0


async def test_no_label_comes_from_a_caller(start):
    patterns = {"name": "any/*", "targets": [{"provider": "stage", "model": "*"}]}
    config = tree()
    gateway = await start({**config, "models": [*config["models"], patterns]})

    async def call(number: int) -> None:
        name = f"name-{number}"
        await failure(gateway.calls.Generate(ask(model=name, tags=[name], user=name)))
        request = ask(model=f"any/{name}", tags=[name], metadata={name: name})
        await gateway.calls.Generate(request, metadata=[("x-tenant", name)])
        async for _ in gateway.calls.StreamGenerate(request):
            pass

    await call(0)
    before = series(await scrape(gateway))
    for number in range(1, 300):
        await call(number)
    text = await scrape(gateway)
    assert series(text) == before
    assert "name-" not in text
    assert value(text, "grpc_server_started_total", grpc_method="Generate") == 600


async def test_probes(start):
    gateway = await start(tree())
    address = gateway.built.http.address
    assert (await http_get(address, "/healthz")).text == "ok\n"
    ready = await http_get(address, "/readyz")
    assert (ready.status, ready.text) == (200, "ready\n")
    gateway.built.ready = False
    assert (await http_get(address, "/readyz")).status == 503
    assert (await http_get(address, "/healthz")).status == 200
    assert (await http_get(address, "/nothing")).status == 404
    assert (await http_get(address, "/metrics", "POST")).status == 405
    head = await http_get(address, "/metrics", "HEAD")
    assert (head.status, head.text) == (200, "")
    assert int(head.headers["content-length"]) > 1000
    assert "server" not in head.headers


async def test_open_metrics_are_given_to_who_asks(start):
    gateway = await start(tree())
    accept = "application/openmetrics-text; version=1.0.0"
    answer = await http_get(gateway.built.http.address, "/metrics", accept=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_an_address_in_use_is_a_clear_error(start, tmp_path):
    first = await start(tree())
    other = {**tree(), "http": {"listen": first.built.http.address}}
    with pytest.raises(InternalError, match=f"Cannot listen on {first.built.http.address}"):
        async with running(other, tmp_path):
            pass
