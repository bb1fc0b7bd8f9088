"""The OpenAI dialect, spoken by OpenAI and by most servers of open models."""

from interlingua_gateway.providers.openai.dialect import OpenAIDialect as OpenAIDialect
from interlingua_gateway.providers.openai.quirks import Quirks as Quirks
