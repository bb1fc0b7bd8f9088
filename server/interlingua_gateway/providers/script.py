"""Scripts: what the scripted provider says, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from interlingua_gateway.core.errors import InternalError, Reason, Resource, Violation
from interlingua_gateway.core.events import FinishReason
from interlingua_gateway.core.types import MediaKind


class Step(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """One thing that a script does."""


class Say(Step, frozen=True, tag="say"):
    """Stream `text` word by word, `pause_s` apart, once for each candidate asked for."""

    text: str
    pause_s: float = 0.0


class Deltas(Step, frozen=True, tag="deltas"):
    """Stream each of `texts` as it stands, repeated within its delta, and all of them `times`."""

    texts: tuple[str, ...]
    times: int = 1
    repeat: int = 1


class Think(Step, frozen=True, tag="think"):
    """Show reasoning, closed by `signature` if that is not empty."""

    text: str
    signature: str = ""


class CallTool(Step, frozen=True, tag="call_tool"):
    """Call a tool; the arguments come in two fragments."""

    id: str
    name: str
    arguments_json: str = "{}"


class Show(Step, frozen=True, tag="show"):
    """Send media; `data` is base64 in a configuration."""

    kind: MediaKind
    mime_type: str
    data: bytes


class End(Step, frozen=True, tag="end"):
    """End for this reason; `upstream_reason` is the provider's own word for it."""

    reason: FinishReason
    upstream_reason: str = ""


class Wait(Step, frozen=True, tag="wait"):
    seconds: float


class Fail(Step, frozen=True, tag="fail"):
    """Fail like an upstream: before anything was said as a plain failure, after it as a break.

    Every `passes_every`th performance of the script goes on instead, if that is not 0.
    """

    reason: Reason = Reason.UPSTREAM_UNAVAILABLE
    message: str = "The script fails here."
    retry_after_s: float | None = None
    violations: tuple[Violation, ...] = ()
    resource: Resource | None = None
    metadata: dict[str, str] = {}
    passes_every: int = 0

    def passes(self, turn: int) -> bool:
        """Whether performance number `turn`, from 1, goes on."""
        return self.passes_every > 0 and turn % self.passes_every == 0


class Hang(Step, frozen=True, tag="hang"):
    """Never go on."""


Script: TypeAlias = tuple[Say | Deltas | Think | CallTool | Show | End | Wait | Fail | Hang, ...]


def scripts_of(configured: Mapping[str, object]) -> dict[str, Script]:
    """Scripts by model name from a configuration: a text to be said, or a list of steps such as
    `{do: say, text: Hello}`.

    Raises:
        InternalError: a script is neither; the message says where.
    """
    scripts: dict[str, Script] = {}
    for name, value in configured.items():
        try:
            scripts[name] = (
                (Say(value),) if isinstance(value, str) else msgspec.convert(value, type=Script)
            )
        except msgspec.ValidationError as error:
            raise InternalError(f"The script of {name!r} is not valid: {error}.") from error
    return scripts
