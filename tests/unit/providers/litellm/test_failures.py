"""Failures of a real mock server and of the connection, by reason and without secrets."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Callable

import pytest

from interlingua_gateway.core.errors import CallerError, GatewayError, InternalError, Reason
from tests.support.upstream import Upstream, always, whole
from tests.support.wires import ANTHROPIC, COHERE, GEMINI, OPENAI, SECRETS, WIRES, Wire
from tests.unit.providers.litellm.conftest import Make, attempt

both = pytest.mark.parametrize("streaming", [False, True], ids=["unary", "streaming"])
MOCKED = {
    "openai": "/v1",
    "anthropic": "/anthropic",
    "gemini": "/gemini/v1beta",
    "cohere": "/cohere/v2/chat",
}


async def failure(make: Make, wire: Wire, base_url: str, *, streaming: bool) -> GatewayError:
    provider = make(api_base=base_url, **wire.params)
    with pytest.raises(GatewayError) as caught:
        await (await provider.open(attempt(wire.model, streaming=streaming))).collect()
    return caught.value


@both
@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, GEMINI, COHERE], ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (403, Reason.UPSTREAM_REFUSED_CREDENTIALS),
        (404, Reason.MODEL_NOT_FOUND),
        (400, Reason.INVALID_REQUEST),
        (422, Reason.INVALID_REQUEST),
        (408, Reason.UPSTREAM_UNAVAILABLE),
        (500, Reason.UPSTREAM_UNAVAILABLE),
        (503, Reason.UPSTREAM_UNAVAILABLE),
        (529, Reason.UPSTREAM_UNAVAILABLE),
    ],
)
async def test_status_of_a_mock_server(
    make: Make, llmock: object, wire: Wire, streaming: bool, status: int, reason: Reason
) -> None:
    llmock.fail(status)  # type: ignore[attr-defined]
    base = f"{llmock.url}{MOCKED[wire.name]}"  # type: ignore[attr-defined]
    error = await failure(make, wire, base, streaming=streaming)
    assert error.reason is reason


@both
@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, GEMINI, COHERE], ids=lambda wire: wire.name)
async def test_rate_limit_of_a_mock_server(
    make: Make, llmock: object, wire: Wire, streaming: bool
) -> None:
    llmock.rate_limit(retry_after=7)  # type: ignore[attr-defined]
    base = f"{llmock.url}{MOCKED[wire.name]}"  # type: ignore[attr-defined]
    error = await failure(make, wire, base, streaming=streaming)
    assert (error.reason, error.retry_after_s) == (Reason.UPSTREAM_RATE_LIMITED, 7.0)


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, GEMINI, COHERE], ids=lambda wire: wire.name)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("disconnect", Reason.UPSTREAM_UNAVAILABLE),
        ("truncate", Reason.UPSTREAM_INVALID_RESPONSE),
        ("corrupt", Reason.UPSTREAM_INVALID_RESPONSE),
    ],
)
async def test_broken_stream_of_a_mock_server(
    make: Make, llmock: object, wire: Wire, fault: str, reason: Reason
) -> None:
    break_off: Callable[..., object] = getattr(llmock, fault)
    break_off(after_chunks=3)
    base = f"{llmock.url}{MOCKED[wire.name]}"  # type: ignore[attr-defined]
    error = await failure(make, wire, base, streaming=True)
    assert error.reason is reason


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, GEMINI, COHERE], ids=lambda wire: wire.name)
@both
async def test_mock_server_answers(make: Make, llmock: object, wire: Wire, streaming: bool) -> None:
    llmock.reply("all is well")  # type: ignore[attr-defined]
    provider = make(
        api_base=f"{llmock.url}{MOCKED[wire.name]}",  # type: ignore[attr-defined]
        **wire.params,
    )
    answer = await (await provider.open(attempt(wire.model, streaming=streaming))).collect()
    [candidate] = answer.candidates
    assert "".join(part.text for part in candidate.parts) == "all is well"  # type: ignore[union-attr]
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@both
async def test_no_connection(make: Make, wire: Wire, streaming: bool) -> None:
    async with Upstream(always(b"")) as upstream:
        gone = upstream.url
    error = await failure(make, wire, gone, streaming=streaming)
    assert error.reason is Reason.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_no_secret_in_errors_and_logs(
    make: Make,
    wire: Wire,
    status: int,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = ('{"error": {"message": "bad key ' + " ".join(SECRETS) + '"}}').encode()
    with caplog.at_level(logging.DEBUG):
        async with Upstream(always(whole(body, f"{status} No"))) as upstream:
            error = await failure(make, wire, upstream.url, streaming=False)
    printed = capsys.readouterr()
    shown = "\n".join(
        [
            str(error),
            repr(error.violations),
            repr(error.metadata),
            *traceback.format_exception(error),
            caplog.text,
            printed.out,
            printed.err,
        ]
    )
    assert [secret for secret in SECRETS if secret in shown] == []


async def test_failed_request_is_sent_once(make: Make) -> None:
    for status in ("429 No", "500 No", "408 No"):
        async with Upstream(always(whole(b'{"error": {}}', status))) as upstream:
            for wire in WIRES:
                provider = make(api_base=upstream.url, **wire.params)
                with pytest.raises(GatewayError):
                    await provider.open(attempt(wire.model))
            assert len(upstream.visits) == len(WIRES)


async def test_credentials_that_are_missing(make: Make) -> None:
    provider = make(api_base="http://localhost:9")
    with pytest.raises(GatewayError) as caught:
        await provider.open(attempt(ANTHROPIC.model))
    assert caught.value.reason is Reason.UPSTREAM_REFUSED_CREDENTIALS
    assert not isinstance(caught.value, CallerError | InternalError)


def test_importing_the_provider_does_not_import_litellm() -> None:
    code = (
        "import sys\n"
        "import interlingua_gateway.providers.litellm, interlingua_gateway.providers.price_map\n"
        "interlingua_gateway.providers.price_map.load()\n"
        "print(sorted({'litellm', 'httpx', 'openai'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "[]"
