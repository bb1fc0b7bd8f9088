"""Providers that the gateway speaks to itself, as rows of data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal

import msgspec

from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import InternalError
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.providers.dialect import Endpoint, endpoint_of
from interlingua_gateway.providers.openai.dialect import OpenAIDialect
from interlingua_gateway.providers.openai.quirks import OPENAI_LACKS, Quirks


class Auth(Enum):
    """The header that carries the API key."""

    BEARER = "authorization"
    API_KEY = "api-key"
    X_API_KEY = "x-api-key"


class ProviderRow(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. `base_url` is empty where each account has its own; `key_variables` are the
    environment variables that usually hold its API key, none if it needs no key. `api` says whose
    form requests and answers have; `quirks` are those of OpenAI's."""

    name: str
    base_url: str = ""
    key_variables: tuple[str, ...] = ()
    auth: Auth = Auth.BEARER
    api: Literal["openai", "anthropic"] = "openai"
    quirks: Quirks = Quirks()


_LACKS = OPENAI_LACKS | {"audio_output"}
_OPEN = _LACKS - {"sampling.top_k", "sampling.min_p"}
"""Servers of open models sample with top_k and min_p."""
_OPENAI = Quirks(lacks=OPENAI_LACKS, max_tokens="max_completion_tokens", developer_role=True)
_TEXT_ONLY = frozenset({"image_input", "audio_input", "file_input"})

ROWS = (
    ProviderRow(
        name="openai",
        base_url="https://api.openai.com/v1",
        key_variables=("OPENAI_API_KEY",),
        quirks=_OPENAI,
    ),
    ProviderRow(
        name="anthropic",
        base_url="https://api.anthropic.com",
        key_variables=("ANTHROPIC_API_KEY",),
        auth=Auth.X_API_KEY,
        api="anthropic",
    ),
    ProviderRow(
        name="azure",
        key_variables=("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
        auth=Auth.API_KEY,
        # Its list names the models that could be deployed, not the deployments.
        quirks=msgspec.structs.replace(_OPENAI, deployments=True, lists_models=False),
    ),
    ProviderRow(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        key_variables=("MISTRAL_API_KEY",),
        # Unknown fields are refused; usage is in every stream.
        quirks=Quirks(
            lacks=_LACKS
            | {
                "sampling.logit_bias",
                "sampling.logprobs",
                "sampling.top_logprobs",
                "user",
            },
            seed="random_seed",
            stream_usage=False,
            base64_embeddings=False,
        ),
    ),
    ProviderRow(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        key_variables=("GROQ_API_KEY",),
        quirks=Quirks(
            lacks=_LACKS
            | {
                "sampling.logit_bias",
                "sampling.logprobs",
                "sampling.top_logprobs",
                "sampling.candidate_count",
                "audio_input",
                "file_input",
            },
            max_tokens="max_completion_tokens",
        ),
    ),
    ProviderRow(
        name="deepseek",
        base_url="https://api.deepseek.com",
        key_variables=("DEEPSEEK_API_KEY",),
        quirks=Quirks(
            lacks=_LACKS
            | _TEXT_ONLY
            | {
                "sampling.seed",
                "sampling.candidate_count",
                "sampling.logit_bias",
                "response_format.json_schema",
                "parallel_tool_calls",
                "user",
            },
        ),
    ),
    ProviderRow(
        name="together",
        base_url="https://api.together.xyz/v1",
        key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
        # Its log probabilities have a form of their own.
        quirks=Quirks(lacks=_OPEN | {"sampling.logprobs", "sampling.top_logprobs"}),
    ),
    ProviderRow(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        key_variables=("OPENROUTER_API_KEY",),
        quirks=Quirks(
            lacks=_OPEN - {"file_uri", "image_output", "video_input"}, reasoning_back="reasoning"
        ),
    ),
    ProviderRow(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        key_variables=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
        quirks=Quirks(
            lacks=(_LACKS - {"sampling.top_k"})
            | {
                "tools",
                "audio_input",
                "sampling.seed",
                "sampling.logit_bias",
                "sampling.logprobs",
                "sampling.top_logprobs",
                "sampling.candidate_count",
                "response_format.json_object",
                "parallel_tool_calls",
                "user",
            },
            stream_usage=False,
            lists_models=False,
        ),
    ),
    ProviderRow(
        name="xai",
        base_url="https://api.x.ai/v1",
        key_variables=("XAI_API_KEY",),
        quirks=Quirks(
            lacks=_LACKS | {"audio_input", "sampling.logit_bias"},
            max_tokens="max_completion_tokens",
        ),
    ),
    ProviderRow(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        key_variables=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
        quirks=Quirks(lacks=_OPEN),
    ),
    ProviderRow(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_variables=("CEREBRAS_API_KEY",),
        quirks=Quirks(
            lacks=_LACKS | {"sampling.candidate_count", "sampling.logit_bias"},
            max_tokens="max_completion_tokens",
        ),
    ),
    ProviderRow(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        key_variables=("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
    ),
    ProviderRow(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        key_variables=("SAMBANOVA_API_KEY",),
        quirks=Quirks(
            lacks=(_LACKS - {"sampling.top_k"})
            | {
                "sampling.candidate_count",
                "sampling.logit_bias",
                "sampling.presence_penalty",
                "sampling.frequency_penalty",
                "file_input",
            },
        ),
    ),
    ProviderRow(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        key_variables=("MOONSHOT_API_KEY",),
        # Its thinking models want their reasoning back between tool calls.
        quirks=Quirks(
            lacks=_LACKS | {"sampling.logit_bias", "audio_input", "forced_tool_choice"},
            reasoning_back="reasoning_content",
        ),
    ),
    ProviderRow(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        quirks=Quirks(
            lacks=_LACKS
            | {
                "sampling.candidate_count",
                "sampling.logit_bias",
                "forced_tool_choice",
                "parallel_tool_calls",
                "audio_input",
                "file_input",
                "token_input",
                "user",
            },
        ),
    ),
    ProviderRow(
        name="vllm",
        base_url="http://127.0.0.1:8000/v1",
        quirks=Quirks(lacks=_OPEN - {"video_input"}),
    ),
    ProviderRow(
        name="lmstudio",
        base_url="http://127.0.0.1:1234/v1",
        quirks=Quirks(
            lacks=(_LACKS - {"sampling.top_k"})
            | {"sampling.candidate_count", "audio_input", "file_input", "user"},
        ),
    ),
    ProviderRow(
        name="llamacpp",
        base_url="http://127.0.0.1:8080/v1",
        quirks=Quirks(lacks=_OPEN | {"file_input"}, llama_server=True, usage_per_candidate=True),
    ),
)
BY_NAME: Mapping[str, ProviderRow] = {row.name: row for row in ROWS}


def openai_dialect(
    row: ProviderRow,
    *,
    redactor: Redactor,
    clock: Clock,
    base_url: str = "",
    api_key: str = "",
    api_version: str = "",
    headers: Mapping[str, str] | None = None,
) -> OpenAIDialect:
    """The dialect of `row` for one account. `headers` are sent with every request and may replace
    the one that carries the key.

    Azure: `base_url` is the resource (`https://name.openai.azure.com`), with or without `/openai`;
    without `api_version` its v1 API is spoken.

    Raises:
        InternalError: the configuration names no usable base URL.
    """
    if row.quirks.deployments and base_url:
        base_url = _azure_url(base_url, api_version)
    endpoint = account_endpoint(row, base_url=base_url, api_key=api_key, headers=headers)
    return OpenAIDialect(
        lambda: endpoint, row.quirks, redactor=redactor, clock=clock, api_version=api_version
    )


def account_endpoint(
    row: ProviderRow, *, base_url: str, api_key: str, headers: Mapping[str, str] | None
) -> Endpoint:
    """Where `row` answers for one account; its `headers` go before those of the row.

    Raises:
        InternalError: the configuration names no usable base URL.
    """
    url = base_url or row.base_url
    if not url:
        raise InternalError(f"A provider of kind {row.name} needs a base_url.")
    sent = {}
    if api_key:
        sent[row.auth.value] = f"Bearer {api_key}" if row.auth is Auth.BEARER else api_key
    sent.update({name.lower(): value for name, value in (headers or {}).items()})
    try:
        return endpoint_of(url, sent)
    except ValueError as error:
        raise InternalError(f"base_url of a provider of kind {row.name}: {error}.") from error


def _azure_url(url: str, api_version: str) -> str:
    root = url.rstrip("/").removesuffix("/v1").removesuffix("/openai")
    return f"{root}/openai" if api_version else f"{root}/openai/v1"
