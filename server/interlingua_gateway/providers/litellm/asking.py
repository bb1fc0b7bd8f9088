"""Has litellm make a request, without its front door: only what concerns the request is run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import litellm
import msgspec
from litellm.llms.anthropic.common_utils import AnthropicModelInfo
from litellm.llms.bedrock.common_utils import (
    bedrock_route_for_request,
    without_bedrock_route_prefix,
)
from litellm.llms.cohere.common_utils import CohereModelInfo
from litellm.main import responses_api_bridge_check
from litellm.secret_managers.main import get_secret_bool, get_secret_str
from litellm.utils import (
    ProviderConfigManager,
    get_optional_params,
    validate_and_fix_openai_messages,
)

from interlingua_gateway.providers.litellm.plain import openai_text
from interlingua_gateway.providers.litellm.prepared import Ask, Prepared
from interlingua_gateway.providers.litellm.shapes import Anthropic, Converse, Gemini, Uniform

Json = dict[str, Any]

_COHERE = "https://api.cohere.com/v2/chat"
_OPENAI = "https://api.openai.com/v1"


async def prepared(ask: Ask) -> Prepared | None:
    """The request for `ask`, or None if litellm has to carry it itself.

    Raises:
        Exception: whatever litellm raises.
    """
    return await _MAKERS[ask.provider](ask)


def error_of(ask: Ask, status: int, text: str) -> Exception:
    """The exception that litellm has for a refusal of `ask`."""
    error: Exception = _config(ask).get_error_class(text, status, {})
    return error


class _Mute(SimpleNamespace):
    """Stands where litellm would keep its books of a call."""

    def pre_call(self, *arguments: Any, **named: Any) -> None:
        pass

    def post_call(self, *arguments: Any, **named: Any) -> None:
        pass


async def _anthropic(ask: Ask) -> Prepared | None:
    base = AnthropicModelInfo.get_api_base(ask.account.get("api_base"))
    if not base.endswith("/v1/messages") and not get_secret_bool(
        "LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX"
    ):
        base += "/v1/messages"
    made: Prepared = await _HANDLERS[ask.provider].completion(
        **_common(ask), api_base=base, custom_prompt_dict={}, print_verbose=_nothing
    )
    return made


async def _gemini(ask: Ask) -> Prepared | None:
    common = _common(ask)
    key, headers = common.pop("api_key"), common.pop("headers")
    made: Prepared = await _HANDLERS[ask.provider].completion(
        **common,
        extra_headers=headers,
        api_base=ask.account.get("api_base") or get_secret_str("GEMINI_API_BASE"),
        print_verbose=_nothing,
        vertex_project=None,
        vertex_location=None,
        vertex_credentials=None,
        gemini_api_key=key,
    )
    return made


async def _converse(ask: Ask) -> Prepared | None:
    if bedrock_route_for_request(ask.model, ask.arguments, None) != "converse":
        return None
    common = _common(ask)
    common["model"] = without_bedrock_route_prefix(ask.model)
    del common["custom_llm_provider"]
    headers = common.pop("headers")
    made: Prepared | None = _HANDLERS[ask.provider].completion(
        **common,
        api_base=ask.account.get("api_base"),
        custom_prompt_dict={},
        extra_headers=headers,
    )
    return made


async def _cohere(ask: Ask) -> Prepared | None:
    if CohereModelInfo.get_cohere_route(ask.model) != "v2":
        return None
    common = _common(ask) | {"model": ask.model.replace("v2/", "")}
    base = ask.account.get("api_base") or get_secret_str("COHERE_API_BASE") or _COHERE
    made: Prepared = await _HANDLERS[ask.provider].completion(
        **common, api_base=base, stream=ask.streaming, provider_config=_config(ask)
    )
    return made


async def _openai(ask: Ask) -> Prepared | None:
    asked = ("tools", "reasoning_effort", "api_base")
    given = {**ask.account, **ask.arguments}
    info, _ = responses_api_bridge_check(
        ask.model, ask.provider, **{name: given.get(name) for name in asked}
    )
    config, common = _config(ask), _common(ask)
    if info.get("mode") == "responses" or config.should_fake_stream(
        model=ask.model, custom_llm_provider=ask.provider, stream=ask.streaming
    ):
        return None
    optional = common["optional_params"]
    beside = optional.pop("extra_body", None) or {}
    streamed = {"stream": True} if optional.pop("stream", False) else {}
    named = ("model", "messages", "optional_params", "litellm_params")
    data = config.transform_request(headers={}, **{name: common[name] for name in named})
    base = str(ask.account["api_base"]).removesuffix("/")
    headers = {
        "Authorization": f"Bearer {ask.account['api_key']}",
        "Content-Type": "application/json",
    }
    body = msgspec.json.encode({**data, **beside, **streamed})
    return Prepared(f"{base}/chat/completions", headers, body, _as_it_is, openai_text, _as_it_is)


def _as_it_is(value: Json) -> object:
    return value


def _common(ask: Ask) -> Json:
    """What every handler of litellm wants to be told."""
    given = {"stream": None, **ask.arguments}
    messages = _config(ask).translate_developer_role_to_system_role(
        messages=validate_and_fix_openai_messages(given.pop("messages"))
    )
    signing = {name: value for name, value in ask.account.items() if name.startswith("aws_")}
    optional = get_optional_params(
        model=ask.model,
        custom_llm_provider=ask.provider,
        messages=messages,
        drop_params=False,
        **given,
        **signing,
    )
    return {
        "model": ask.model,
        "messages": messages,
        "optional_params": optional,
        "litellm_params": {**ask.account, "drop_params": False},
        "custom_llm_provider": ask.provider,
        "api_key": ask.account.get("api_key"),
        "timeout": ask.timeout_s,
        "acompletion": True,
        "model_response": None,
        "encoding": None,
        "logging_obj": _Mute(optional_params=given),
        "headers": {},
        "client": None,
    }


def _config(ask: Ask) -> Any:
    return ProviderConfigManager.get_provider_chat_config(
        model=ask.model, provider=litellm.LlmProviders(ask.provider)
    )


def _nothing(*arguments: object) -> None:
    pass


_HANDLERS: Mapping[str, Any] = {
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "bedrock": Converse(),
    "cohere": Uniform(),
    "cohere_chat": Uniform(),
}
_MAKERS: Mapping[str, Callable[[Ask], Awaitable[Prepared | None]]] = {
    "anthropic": _anthropic,
    "gemini": _gemini,
    "bedrock": _converse,
    "cohere": _cohere,
    "cohere_chat": _cohere,
    "openai": _openai,
}
