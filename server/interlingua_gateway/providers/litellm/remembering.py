"""Remembers what litellm looks up anew for each request: what a model can do.

The answers come from litellm's map of models, which does not change in a process, and are plain
truth values; asking for one takes 20 to 100 us, and a request asks a dozen times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from litellm import utils
from litellm.llms.anthropic.common_utils import AnthropicModelInfo
from litellm.llms.bedrock import common_utils as bedrock

_MODELS = 4096
_LOOKUPS: tuple[tuple[Any, str], ...] = (
    (utils, "supports_factory"),
    (bedrock, "_bedrock_converse_model_flag"),
    (AnthropicModelInfo, "_supports_model_capability"),
    (AnthropicModelInfo, "_get_model_capability"),
)
"""By owner and name: pure functions of a model's name, a provider's and a capability's."""


def remember() -> None:
    """Put a memory before each of the lookups. Done once a process."""
    for owner, name in _LOOKUPS:
        remembered = lru_cache(maxsize=_MODELS)(getattr(owner, name))
        setattr(owner, name, staticmethod(remembered) if isinstance(owner, type) else remembered)
