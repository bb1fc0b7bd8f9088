"""Providers by name: which kind serves them and which environment variables hold their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class Setting(msgspec.Struct, frozen=True):
    """A key of a provider that the environment can give, under any of `variables`.

    `secret` ones become references, others are copied.
    """

    key: tuple[str, ...]
    variables: tuple[str, ...]
    needed: bool = True
    secret: bool = True


class KnownProvider(msgspec.Struct, frozen=True):
    """A provider that needs no more than its settings to be usable.

    `kind` is `litellm`, or the row of the native dialect. `prefix` stands before its model names
    in litellm's model strings. A provider without settings is never found in the environment.
    """

    name: str
    kind: str
    settings: tuple[Setting, ...] = ()
    prefix: str = ""


def _key(*variables: str) -> tuple[Setting, ...]:
    return (Setting(("api_key",), variables),)


def _native(name: str, *variables: str) -> KnownProvider:
    return KnownProvider(name, name, _key(*variables) if variables else ())


def _litellm(name: str, *variables: str) -> KnownProvider:
    return KnownProvider(name, "litellm", _key(*variables), prefix=f"{name}/")


_AZURE = (
    *_key("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    Setting(("base_url",), ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"), secret=False),
    Setting(("api_version",), ("AZURE_API_VERSION",), needed=False, secret=False),
)
_BEDROCK = (
    Setting(("params", "aws_access_key_id"), ("AWS_ACCESS_KEY_ID",)),
    Setting(("params", "aws_secret_access_key"), ("AWS_SECRET_ACCESS_KEY",)),
    Setting(("params", "aws_session_token"), ("AWS_SESSION_TOKEN",), needed=False),
    Setting(
        ("params", "aws_region_name"),
        ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
        secret=False,
    ),
)

KNOWN: Final = (
    _native("openai", "OPENAI_API_KEY"),
    _native("anthropic", "ANTHROPIC_API_KEY"),
    _litellm("gemini", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
    KnownProvider("azure", "azure", _AZURE),
    KnownProvider("bedrock", "litellm", _BEDROCK, prefix="bedrock/"),
    _litellm("cohere", "COHERE_API_KEY", "CO_API_KEY"),
    _native("mistral", "MISTRAL_API_KEY"),
    _native("groq", "GROQ_API_KEY"),
    _native("deepseek", "DEEPSEEK_API_KEY"),
    _native("together", "TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
    _native("openrouter", "OPENROUTER_API_KEY"),
    _native("perplexity", "PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
    _native("xai", "XAI_API_KEY"),
    _native("fireworks", "FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
    _native("cerebras", "CEREBRAS_API_KEY"),
    _native("nvidia", "NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
    _native("sambanova", "SAMBANOVA_API_KEY"),
    _native("moonshot", "MOONSHOT_API_KEY"),
    _litellm("huggingface", "HUGGINGFACE_API_KEY"),
    _litellm("blackbox", "BLACKBOX_API_KEY"),
    _litellm("replicate", "REPLICATE_API_KEY"),
    _litellm("voyage", "VOYAGE_API_KEY"),
    _native("ollama"),
    _native("vllm"),
    _native("lmstudio"),
    _native("llamacpp"),
)
BY_NAME: Mapping[str, KnownProvider] = {provider.name: provider for provider in KNOWN}
NATIVE_KINDS: Final = frozenset(row.kind for row in KNOWN if row.kind != "litellm")
KINDS: Final = NATIVE_KINDS | {"litellm", "local", "scripted"}
