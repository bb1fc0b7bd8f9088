"""Makes litellm silent: no logging, no callbacks, no retries, no sessions but our own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import litellm
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from interlingua_gateway.providers.litellm.remembering import remember
from interlingua_gateway.providers.litellm.wire import Routed


class _Quiet(Logging):  # type: ignore[misc]
    """The bookkeeping object that litellm's calls ask for; it keeps no prompt and tells nobody."""

    def pre_call(self, *arguments: Any, **named: Any) -> None:
        pass

    def post_call(self, *arguments: Any, **named: Any) -> None:
        pass

    def success_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    def failure_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    async def async_success_handler(self, *arguments: Any, **named: Any) -> None:
        pass

    async def async_failure_handler(self, *arguments: Any, **named: Any) -> None:
        pass


def silence() -> None:
    """Set litellm up: silent, exact, without retries, on our transports. Done once a process."""
    if AsyncHTTPHandler.create_client is _make_client:
        return
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.disable_stop_sequence_limit = True  # it would drop the fifth and later ones silently
    litellm.num_retries = None
    litellm.DEFAULT_MAX_RETRIES = 0  # its embeddings take a 0 from the caller for no answer
    litellm.cache = None
    litellm.disable_aiohttp_transport = True
    litellm.success_callback = []
    litellm.failure_callback = []
    litellm.aclient_session = _client()
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False
        logger.handlers.clear()
    AsyncHTTPHandler.create_client = _make_client
    remember()
    litellm.token_counter(model="gpt-4o", text="warm")


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=Routed(), follow_redirects=False, trust_env=False, timeout=None
    )


def _make_client(handler: Any, *arguments: Any, **named: Any) -> httpx.AsyncClient:
    """Stands where litellm would open a session of its own."""
    return _client()


def quiet(model: str, arguments: Mapping[str, object]) -> _Quiet:
    """What litellm's call of `arguments` is to keep its books in."""
    return _Quiet(
        model=model,
        messages=[],
        stream=arguments.get("stream", False),
        call_type="acompletion",
        start_time=datetime.fromtimestamp(0, UTC),
        litellm_call_id="",
        litellm_trace_id="-",
        function_id="",
        kwargs={},
        supports_correlation_logging=False,
    )
