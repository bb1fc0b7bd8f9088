"""The caller's own options for a provider, without what is the gateway's or another field's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from interlingua_gateway.core.errors import CallerError
from interlingua_gateway.core.types import EmbedRequest, GenerateRequest

FIELD: Final = "provider_options_json"
SHOWN: Final = 40
# `models` names further models to OpenRouter; where a call may go is the configuration's business.
_RESERVED: Final = frozenset(
    {"contents", "input", "messages", "model", "models", "stream", "stream_options"}
)
_OUTPUT: Final = "sampling.max_output_tokens"
_CANDIDATES: Final = "sampling.candidate_count"
_FIELDS: Final[Mapping[str, str]] = {
    "maxtokens": _OUTPUT,
    "maxcompletiontokens": _OUTPUT,
    "maxoutputtokens": _OUTPUT,
    "maxnewtokens": _OUTPUT,
    "maxtokenstosample": _OUTPUT,
    "maxtokencount": _OUTPUT,
    "maxgenlen": _OUTPUT,
    "numpredict": _OUTPUT,
    "npredict": _OUTPUT,
    "n": _CANDIDATES,
    "ncmpl": _CANDIDATES,
    "bestof": _CANDIDATES,
    "candidatecount": _CANDIDATES,
    "numgenerations": _CANDIDATES,
    "numresults": _CANDIDATES,
    "numreturnsequences": _CANDIDATES,
}
"""What limits and budgets reckon with, by its names at providers, in small letters and digits: the
contract's field for it. OpenAI, Anthropic, Gemini, Cohere, Ollama, llama.cpp, vLLM, Llama."""
_INSIDE: Final = frozenset({"generationconfig", "options", "parameters"})
"""Objects in which Gemini, Ollama and the servers of Hugging Face have them."""


def options_of(request: GenerateRequest | EmbedRequest) -> dict[str, object]:
    """The options that are merged into the provider's request; empty for none.

    Raises:
        CallerError: they are no JSON object, touch what is the gateway's, or say how many answers
            there are to be or how long they may be, for which the request has fields.
    """
    if not request.provider_options_json:
        return {}
    options = json_of(request.provider_options_json, FIELD)
    if not isinstance(options, dict):
        raise CallerError.of_field(FIELD, "must be a JSON object")
    if reserved := sorted(_RESERVED & options.keys()):
        raise CallerError.of_field(FIELD, f"{reserved[0]!r} is set by the gateway; leave it out")
    if isinstance(request, GenerateRequest):
        for name in _names(options):
            if field := _FIELDS.get(_plain(name)):
                text = f"{name[:SHOWN]!r} may not be in it; set `{field}`"
                raise CallerError.of_field(FIELD, text)
    return options


def json_of(text: str, path: str) -> object:
    """The value of JSON text that the caller gave at `path`.

    Raises:
        CallerError: it is not JSON.
    """
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise CallerError.of_field(path, "is not valid JSON") from error
    return value


def _names(options: Mapping[str, object]) -> Iterator[str]:
    for name, value in options.items():
        yield name
        if isinstance(value, dict) and _plain(name) in _INSIDE:
            yield from value


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
