"""litellm's handlers of each kind of upstream, as far as they make requests and read answers.

The handlers translate a request and send it. Here they are stopped before they send: what
would have gone out is handed back, with the readers of its answer, and nothing of litellm's
clients, stream wrappers and bookkeeping runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import litellm
import msgspec
from litellm import ModelResponse
from litellm.llms.anthropic.chat.handler import AnthropicChatCompletion
from litellm.llms.anthropic.chat.handler import ModelResponseIterator as AnthropicIterator
from litellm.llms.anthropic.chat.transformation import ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY
from litellm.llms.bedrock.chat.converse_handler import BedrockConverseLLM
from litellm.llms.bedrock.chat.invoke_handler import AWSEventStreamDecoder
from litellm.llms.custom_httpx.llm_http_handler import BaseLLMHTTPHandler
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator as GeminiIterator,
)
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import VertexLLM

from interlingua_gateway.providers.litellm import cohere
from interlingua_gateway.providers.litellm.plain import (
    anthropic_text,
    cohere_text,
    converse_text,
    gemini_text,
)
from interlingua_gateway.providers.litellm.prepared import Prepared, unread

Json = dict[str, Any]

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class _Answered:
    """An answer whose JSON has been read, as litellm's transformations want to have it."""

    __slots__ = ("_value",)

    headers = _NO_HEADERS
    status_code = 200
    text = ""

    def __init__(self, value: Json) -> None:
        self._value = value

    def json(self) -> Json:
        return self._value


class Anthropic(AnthropicChatCompletion):  # type: ignore[misc]
    """Anthropic's Messages."""

    async def acompletion_function(self, **named: Any) -> Prepared:
        config, json_mode = named["provider_config"], named["json_mode"]
        renamed = named["litellm_params"].get(ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY)

        def whole(value: Json) -> object:
            return config.transform_parsed_response(
                completion_response=value,
                raw_response=_Answered(value),
                model_response=ModelResponse(),
                json_mode=json_mode,
                tool_name_reverse_map=renamed,
            )

        return _request(named, whole, unread, unread)

    async def acompletion_stream_function(self, **named: Any) -> Prepared:
        pieces = AnthropicIterator(
            streaming_response=None,
            sync_stream=False,
            json_mode=named["json_mode"],
            tool_name_reverse_map=named["litellm_params"].get(ANTHROPIC_TOOL_NAME_REVERSE_MAP_KEY),
        )
        return _request(named, unread, anthropic_text, pieces.chunk_parser)


class Gemini(VertexLLM):  # type: ignore[misc]
    """Google's generateContent."""

    async def async_completion(self, **named: Any) -> Prepared:
        return self._made(named, streaming=False)

    async def async_streaming(self, **named: Any) -> Prepared:
        return self._made(named, streaming=True)

    def _made(self, named: Json, *, streaming: bool) -> Prepared:
        model, optional = named["model"], named["optional_params"]
        config = litellm.VertexGeminiConfig()
        auth, url = self._get_token_and_url(
            model=model,
            gemini_api_key=named["gemini_api_key"],
            auth_header=None,
            vertex_project=None,
            vertex_location=None,
            vertex_credentials=None,
            stream=streaming,
            custom_llm_provider=named["custom_llm_provider"],
            api_base=named["api_base"],
        )
        common = {"model": model, "messages": named["messages"], "optional_params": optional}
        headers = config.validate_environment(
            api_key=auth, headers=None, litellm_params=named["litellm_params"], **common
        )
        data = transform_request_body(
            custom_llm_provider=named["custom_llm_provider"],
            litellm_params=named["litellm_params"],
            cached_content=None,
            **common,
        )

        def whole(value: Json) -> object:
            return config.transform_google_generate_content_to_openai_model_response(
                completion_response=value,
                model_response=ModelResponse(),
                model=model,
                logging_obj=named["logging_obj"],
                raw_response=_Answered(value),
            )

        pieces = GeminiIterator(None, sync_stream=False, logging_obj=named["logging_obj"])
        return Prepared(
            url, headers, msgspec.json.encode(data), whole, gemini_text, pieces.chunk_parser
        )


class Converse(BedrockConverseLLM):  # type: ignore[misc]
    """Bedrock's Converse."""

    def async_completion(self, **named: Any) -> Prepared | None:
        config = litellm.AmazonConverseConfig()

        def whole(value: Json) -> object:
            return config.transform_response(
                raw_response=_Answered(value),
                model_response=ModelResponse(),
                request_data={},
                json_mode=None,
                api_key="",
                **{name: named[name] for name in _CONVERSE_READ_WITH},
            )

        return self._made(named, whole, unread)

    def async_streaming(self, **named: Any) -> Prepared | None:
        pieces = AWSEventStreamDecoder(model=named["model"], json_mode=named["json_mode"])
        return self._made(named, unread, pieces.converse_chunk_parser)

    def _made(self, named: Json, whole: Any, piece: Any) -> Prepared | None:
        if named.get("fake_stream"):
            return None
        data = litellm.AmazonConverseConfig().transform_request(
            model=named["model"],
            messages=named["messages"],
            optional_params=named["optional_params"],
            litellm_params=named["litellm_params"],
            headers=named["headers"],
        )
        body = msgspec.json.encode(data)
        signed = self.get_request_headers(
            credentials=named["credentials"],
            aws_region_name=named["litellm_params"]["aws_region_name"],
            extra_headers=named["headers"],
            endpoint_url=named["api_base"],
            data=body,
            headers=named["headers"],
            api_key=named["api_key"],
        )
        return Prepared(named["api_base"], dict(signed.headers), body, whole, converse_text, piece)


class Uniform(BaseLLMHTTPHandler):  # type: ignore[misc]
    """Whatever litellm's common handler speaks to."""

    async def async_completion(self, **named: Any) -> Prepared:
        def whole(value: Json) -> object:
            return named["provider_config"].transform_response(
                raw_response=_Answered(value),
                model_response=ModelResponse(),
                request_data=named["data"],
                **{name: named[name] for name in _READ_WITH},
            )

        return _request(named, whole, unread, unread)

    async def acompletion_stream_function(self, **named: Any) -> Prepared:
        return _request(named, unread, cohere_text, cohere.chunk_of)


_CONVERSE_READ_WITH = (
    "model", "logging_obj", "messages", "optional_params", "litellm_params", "encoding",
)  # fmt: skip
_READ_WITH = (
    "model", "logging_obj", "api_key", "messages", "optional_params", "litellm_params",
    "encoding", "json_mode",
)  # fmt: skip


def _request(named: Json, whole: Any, plain: Any, piece: Any) -> Prepared:
    body = msgspec.json.encode(named["data"])
    return Prepared(named["api_base"], named["headers"], body, whole, plain, piece)
