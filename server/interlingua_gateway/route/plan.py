"""Decides where a call may go, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from interlingua_gateway.core.call import Call
from interlingua_gateway.core.errors import CallerError, Reason, Resource
from interlingua_gateway.core.ports import Directory
from interlingua_gateway.core.target import Target

SHOWN_NAME: Final = 80


def plan(call: Call, directory: Directory) -> tuple[Target, ...]:
    """The targets of the requested model in the configured order, then those of the fallbacks.

    Raises:
        CallerError: MODEL_NOT_FOUND for a name that the directory does not have.
    """
    names = (call.request.model, *call.routing.fallbacks)
    targets: list[Target] = []
    for name in names:
        model = directory.find(name)
        if model is None:
            raise unknown_model(name, directory)
        targets.extend(target for target in model.targets if target not in targets)
    return tuple(targets)


def unknown_model(name: str, directory: Directory) -> CallerError:
    """The error for a model that is not there; its message names what is near."""
    shown = name if len(name) <= SHOWN_NAME else name[: SHOWN_NAME - 1] + "…"
    near = directory.near(shown)
    hint = f" Did you mean {_either(near)}?" if near else " ListModels shows what there is."
    return CallerError(
        Reason.MODEL_NOT_FOUND,
        f"There is no model `{shown}`.{hint}",
        resource=Resource("model", shown),
    )


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)
