"""A provider with a bug: it raises what no provider should."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.events import Batch, TextDelta
from interlingua_gateway.core.reply import Reply, Start

Raise = Callable[[], BaseException]


class FaultyProvider:
    """Implements core.ports.Provider; fails with `fault()` before or after its first event."""

    def __init__(self, fault: Raise, *, late: bool = False) -> None:
        self._fault = fault
        self._late = late

    async def open(self, attempt: Attempt) -> Reply:
        if not self._late:
            raise self._fault()
        target = attempt.target
        start = Start(target.deployment, target.provider, target.model)
        return Reply(start, (TextDelta(0, "so far"),), _Faulty(self._fault))

    async def models(self) -> Sequence[str]:
        return ()

    async def aclose(self) -> None:
        pass


class _Faulty:
    def __init__(self, fault: Raise) -> None:
        self._fault = fault

    async def next(self) -> Batch | None:
        raise self._fault()

    async def aclose(self) -> None:
        pass
