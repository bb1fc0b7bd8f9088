"""What a call needs of a target, and which targets can give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.estimate import input_tokens
from interlingua_gateway.core.events import Usage
from interlingua_gateway.core.prices import cost_of
from interlingua_gateway.core.target import Capability, Target
from interlingua_gateway.core.types import (
    CountRequest,
    EmbedRequest,
    FormatKind,
    GenerateRequest,
    Media,
    MediaKind,
    Message,
    Modality,
    ToolResult,
)

EXPECTED_OUTPUT_TOKENS: Final = 512
"""For a request that sets no limit."""

_INPUTS: Final = {
    MediaKind.IMAGE: Capability.IMAGE_INPUT,
    MediaKind.AUDIO: Capability.AUDIO_INPUT,
    MediaKind.VIDEO: Capability.VIDEO_INPUT,
    MediaKind.FILE: Capability.FILE_INPUT,
}
_OUTPUTS: Final = {
    Modality.AUDIO: Capability.AUDIO_OUTPUT,
    Modality.IMAGE: Capability.IMAGE_OUTPUT,
}
_FORMATS: Final = {
    FormatKind.JSON_OBJECT: Capability.JSON_OBJECT,
    FormatKind.JSON_SCHEMA: Capability.JSON_SCHEMA,
}


class Need:
    """The needs of one call, each worked out when it is first asked for."""

    __slots__ = ("_call", "_implied", "_input_tokens", "_request")

    def __init__(self, call: Call) -> None:
        self._call = call
        request = call.request
        self._request = request.request if isinstance(request, CountRequest) else request
        self._input_tokens: int | None = None
        self._implied: frozenset[Capability] | None = None

    @property
    def input_tokens(self) -> int:
        """Tokens of the request, estimated."""
        if self._input_tokens is None:
            self._input_tokens = input_tokens(self._request)
        return self._input_tokens

    @property
    def output_tokens(self) -> int | None:
        """The longest answer that the caller asks for, or None."""
        request = self._request
        return request.sampling.max_output_tokens if isinstance(request, GenerateRequest) else 0

    @property
    def implied(self) -> frozenset[Capability]:
        """What a model must be able to do in order to honour the request."""
        if self._implied is None:
            self._implied = _implied(self._request)
        return self._implied

    def cost_nano_usd(self, target: Target) -> int | None:
        """What the call is expected to cost there, in 1e-9 USD; None where no price is known."""
        if target.price is None:
            return None
        output = self.output_tokens
        if output is None:
            limits = (target.max_output_tokens, target.longest_output_tokens)
            output = min(limit for limit in (*limits, EXPECTED_OUTPUT_TOKENS) if limit is not None)
        usage = Usage(input_tokens=self.input_tokens, output_tokens=output)
        return cost_of(usage, target.price).nano_usd

    def fitting(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        """Those of `targets` that can serve the call, in their order.

        What the caller demands (`routing`) is a condition; it may leave nothing. What the request
        implies is estimated, or known from a list that may be old: it chooses among targets, and
        where no target would be left the upstream has the last word.
        """
        ceiling = self._call.routing.max_cost_nano_usd
        demanded = self._call.routing.required
        if demanded:
            targets = tuple(t for t in targets if not t.capabilities or demanded <= t.capabilities)
        if ceiling is not None:
            targets = tuple(t for t in targets if _within(self.cost_nano_usd(t), ceiling))
        if len(targets) < 2:
            return targets
        able = tuple(t for t in targets if not t.capabilities or self.implied <= t.capabilities)
        targets = able or targets
        return tuple(t for t in targets if self.has_room(t)) or targets

    def suits(self, target: Target) -> bool:
        """Whether nothing that is known of `target` keeps it from serving the call."""
        ceiling, known = self._call.routing.max_cost_nano_usd, target.capabilities
        if known and not self._call.routing.required | self.implied <= known:
            return False
        affordable = ceiling is None or _within(self.cost_nano_usd(target), ceiling)
        return affordable and self.has_room(target)

    def has_room(self, target: Target) -> bool:
        """Whether input and output are within the target's sizes, as far as those are known."""
        asked = self.output_tokens or 0
        window = target.context_window_tokens
        limits = (target.max_output_tokens, target.longest_output_tokens)
        if any(limit is not None and asked > limit for limit in limits):
            return False
        return window is None or self.input_tokens <= window

    def refusal(self, targets: Sequence[Target]) -> CallerError:
        """The error for a call that none of `targets` can serve."""
        routing = self._call.routing
        lacking = all(t.capabilities and not routing.required <= t.capabilities for t in targets)
        if routing.required and lacking:
            words = ", ".join(sorted(routing.required))
            return CallerError.of_field(
                "routing.required_capabilities",
                f"no deployment of `{self._call.request.model}` has all of: {words}",
                Reason.UNSUPPORTED_PARAMETER,
            )
        return CallerError.of_field(
            "routing.max_cost_nano_usd",
            f"no deployment of `{self._call.request.model}` is known to cost so little",
            Reason.UNSUPPORTED_PARAMETER,
        )


def _within(cost_nano_usd: int | None, ceiling: int) -> bool:
    return cost_nano_usd is not None and cost_nano_usd <= ceiling


def _implied(request: GenerateRequest | EmbedRequest) -> frozenset[Capability]:
    if isinstance(request, EmbedRequest):
        return frozenset({Capability.EMBEDDINGS})
    found = {Capability.CHAT}
    if request.tools:
        found.add(Capability.TOOLS)
    if request.response_format is not None and request.response_format.kind in _FORMATS:
        found.add(_FORMATS[request.response_format.kind])
    found.update(_OUTPUTS[modality] for modality in request.modalities if modality in _OUTPUTS)
    for message in request.messages:
        found.update(_INPUTS[kind] for kind in _media(message))
    return frozenset(found)


def _media(message: Message) -> set[MediaKind]:
    kinds: set[MediaKind] = set()
    for part in message.parts:
        if isinstance(part, Media):
            kinds.add(part.kind)
        elif isinstance(part, ToolResult):
            kinds.update(inner.kind for inner in part.content if isinstance(inner, Media))
    return kinds
