"""The universal provider, through the litellm library; importing this does not import litellm."""

from interlingua_gateway.providers.litellm.provider import LiteLLMProvider

__all__ = ["LiteLLMProvider"]
