"""How providers of the OpenAI dialect differ, as data."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.types import Effort

OPENAI_LACKS = frozenset(
    {
        "sampling.top_k",
        "sampling.min_p",
        "reasoning.budget_tokens",
        "safety_settings",
        "task",
        "video_input",
        "file_uri",
        "image_output",
    }
)
"""What OpenAI's own API cannot honour, see Quirks.lacks."""

EFFORTS = {
    Effort.NONE: "none",
    Effort.MINIMAL: "minimal",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
    Effort.MAX: "xhigh",
}


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's form of the dialect; the defaults are those of most compatible servers.

    lacks: what cannot be honoured: field paths of the contract (`sampling.top_k`), and the words
        `image_input`, `audio_input`, `video_input`, `file_input`, `file_uri`, `audio_output`,
        `image_output`, `forced_tool_choice`, `token_input` for what is a matter of a field's value.
    max_tokens: name of the parameter that limits the answer.
    seed: name of the parameter that fixes the sampling.
    stream_usage: whether `stream_options.include_usage` is accepted; a provider without it sends
        usage in its streams anyway or not at all.
    usage_per_candidate: whether each usage is that of one candidate; a stream then has one for
        each, a whole answer only the first one's.
    base64_embeddings: whether `encoding_format: base64` is accepted.
    developer_role: whether the role is known; `system` is sent otherwise.
    reasoning_back: field of an assistant message in which earlier reasoning goes back to the
        provider; empty if it takes none.
    deployments: Azure's URLs, with the model in the path and `api-version` in the query.
    llama_server: the endpoints `/apply-template` and `/tokenize` of llama.cpp count exactly.
    lists_models: whether GET `/models` names what can be called.
    """

    lacks: frozenset[str] = OPENAI_LACKS | {"audio_output"}
    max_tokens: str = "max_tokens"
    seed: str = "seed"
    stream_usage: bool = True
    usage_per_candidate: bool = False
    base64_embeddings: bool = True
    developer_role: bool = False
    reasoning_back: str = ""
    deployments: bool = False
    llama_server: bool = False
    lists_models: bool = True
