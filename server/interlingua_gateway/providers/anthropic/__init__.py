"""Anthropic's Messages API, spoken by Anthropic and by those who took over its form."""

from interlingua_gateway.providers.anthropic.dialect import AnthropicDialect as AnthropicDialect
