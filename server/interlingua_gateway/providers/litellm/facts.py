"""What litellm's providers take beyond the parameters that litellm lists for each model."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

GOOGLE = frozenset({"gemini", "vertex_ai", "vertex_ai_beta"})
AWS_SIGNED = frozenset({"bedrock", "sagemaker", "sagemaker_chat", "sagemaker_nova"})
TOP_K = (
    frozenset({"anthropic", "bedrock", "cohere", "cohere_chat", "databricks", "fireworks_ai"})
    | frozenset({"hosted_vllm", "ollama", "ollama_chat", "openrouter", "together_ai"})
    | GOOGLE
)
MIN_P = frozenset({"fireworks_ai", "hosted_vllm", "openrouter", "together_ai"})
VIDEO = GOOGLE | {"bedrock"}

_GOOGLE_TASKS: Mapping[str, str] = {
    "search_query": "RETRIEVAL_QUERY",
    "search_document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
}
_COHERE_TASKS: Mapping[str, str] = {
    task: task for task in ("search_query", "search_document", "classification", "clustering")
}
_VOYAGE_TASKS: Mapping[str, str] = {"search_query": "query", "search_document": "document"}
_TASKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "gemini": ("task_type", _GOOGLE_TASKS),
    "vertex_ai": ("task_type", _GOOGLE_TASKS),
    "cohere": ("input_type", _COHERE_TASKS),
    "cohere_chat": ("input_type", _COHERE_TASKS),
    "voyage": ("input_type", _VOYAGE_TASKS),
}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """A model as litellm knows it: its name without the provider, its provider there, and the
    OpenAI parameters that it takes (None where litellm has no list, and passes on what it is
    given)."""

    name: str
    provider: str
    chat: frozenset[str] | None
    embeddings: frozenset[str] | None

    def takes(self, parameter: str) -> bool:
        """Whether chat requests may carry `parameter`."""
        return self.chat is None or parameter in self.chat

    def embeds_with(self, parameter: str) -> bool:
        """Whether embedding requests may carry `parameter`."""
        return self.embeddings is None or parameter in self.embeddings

    def task(self, task: str) -> tuple[str, str] | None:
        """The provider's own parameter and word for an embedding task, or None."""
        name, words = _TASKS.get(self.provider, ("", {}))
        word = words.get(task)
        return None if word is None else (name, word)
