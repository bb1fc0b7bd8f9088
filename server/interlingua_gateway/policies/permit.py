"""Refuses models that the caller may not name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from interlingua_gateway.core.call import Call, Handler
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.reply import Reply

SHOWN: Final = 80


class Permit:
    """Looks at the model and the fallbacks that the request names.

    A name is allowed if it is covered itself or as an alias of a model that is. Where the
    configuration leads a call from there is not the caller's choice, and allowed. `names` gives for
    aliases the name of their model.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    async def __call__(self, call: Call, inner: Handler) -> Reply:
        allowed = call.caller.models
        if allowed:
            for name in (call.request.model, *call.routing.fallbacks):
                if not allowed.covers(name, self._names.get(name, name)):
                    raise CallerError(
                        Reason.PERMISSION_DENIED,
                        f"These credentials may not use the model `{name[:SHOWN]}`. ListModels "
                        "shows what they may use.",
                        metadata={"model": name[:SHOWN]},
                    )
        return await inner(call)
