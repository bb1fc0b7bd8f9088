"""Which requests litellm only makes, and which it has to carry from end to end."""

from __future__ import annotations

from collections.abc import Mapping

from interlingua_gateway.core.types import GenerateRequest, Media, Message, Part, ToolResult

_KEY = frozenset({"api_key", "api_base", "custom_llm_provider"})
_AWS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}) | frozenset(
    {"aws_region_name", "api_base", "custom_llm_provider"}
)
_KNOWN: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "anthropic": (frozenset({"api_key"}), _KEY),
    "gemini": (frozenset({"api_key"}), _KEY),
    "cohere": (frozenset({"api_key"}), _KEY),
    "cohere_chat": (frozenset({"api_key"}), _KEY),
    "openai": (frozenset({"api_key", "api_base"}), _KEY),
    "bedrock": (frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_region_name"}), _AWS),
}
"""By litellm's provider, the parameters that an account must have and all that it may have for its
requests to be made alone. An account with others (a role to assume, a token to fetch, headers of
its own, a setting of litellm's) is litellm's: there its front door decides what they mean.

Every other provider is litellm's too. Those in the OpenAI form have native dialects that cost less
than any way through litellm; Vertex AI and Azure fetch tokens; SageMaker, WatsonX and Bedrock's
older forms have streams that only litellm's wrappers put together; and what nobody here has seen
recorded is left with the code that its users test.
"""


def made_alone(provider: str, account: Mapping[str, object], request: GenerateRequest) -> bool:
    """Whether litellm can make `request` without fetching anything."""
    needed, allowed = _KNOWN.get(provider, (frozenset(), frozenset()))
    return (
        bool(needed)
        and needed <= account.keys() <= allowed
        and not any(_remote(message) for message in request.messages)
    )


def embeds_alone(provider: str, account: Mapping[str, object]) -> bool:
    """Whether the house can ask for embeddings itself: those of the OpenAI form, whose vectors
    litellm makes into objects of one float each, of 50 times the cost of their bytes."""
    needed, allowed = _KNOWN["openai"]
    return provider == "openai" and needed <= account.keys() <= allowed


def _remote(message: Message) -> bool:
    """Whether a part of `message` has to be fetched."""
    parts: list[Part] = [*message.parts]
    for part in message.parts:
        if isinstance(part, ToolResult):
            parts.extend(part.content)
    return any(isinstance(part, Media) and part.uri is not None for part in parts)
