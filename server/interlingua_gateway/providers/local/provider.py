"""The embedded model as a provider: the native dialect, spoken to the supervised process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from interlingua_gateway.core.call import Attempt
from interlingua_gateway.core.clock import Clock
from interlingua_gateway.core.errors import Reason, UpstreamError
from interlingua_gateway.core.redact import Redactor
from interlingua_gateway.core.reply import Reply
from interlingua_gateway.providers.dialect import Endpoint, endpoint_of
from interlingua_gateway.providers.http import HttpProvider
from interlingua_gateway.providers.local.supervisor import Failed, LocalModel, Ready
from interlingua_gateway.providers.openai import OpenAIDialect
from interlingua_gateway.providers.registry import BY_NAME
from interlingua_gateway.providers.transport.client import HttpClient, PoolLimits

RESTART_RETRY_S: Final = 1.0
MAX_IDLE_S: Final = 4.0
"""Less than the five seconds after which the process closes idle connections."""

QUIRKS: Final = BY_NAME["llamacpp"].quirks
PACKAGED_QUIRKS: Final = msgspec.structs.replace(
    QUIRKS, lacks=QUIRKS.lacks | {"tools", "image_input", "dimensions"}
)
"""The packaged weights call no tools and see no images."""


class LocalProvider:
    """Implements core.ports.Provider; owns the model's process. `model` shows its state."""

    def __init__(
        self, name: str, model: LocalModel, limits: PoolLimits, redactor: Redactor, clock: Clock
    ) -> None:
        self.model = model
        quirks = PACKAGED_QUIRKS if model.packaged else QUIRKS
        dialect = OpenAIDialect(self._endpoint, quirks, redactor=redactor, clock=clock)
        transport = HttpClient(
            clock=clock, limits=msgspec.structs.replace(limits, max_idle_s=MAX_IDLE_S)
        )
        self._upstream = HttpProvider(name, dialect, transport, redactor=redactor)

    def _endpoint(self) -> Endpoint:
        state = self.model.state
        if not isinstance(state, Ready):
            raise UpstreamError(
                Reason.UPSTREAM_UNAVAILABLE,
                "The embedded model is being restarted.",
                retry_after_s=RESTART_RETRY_S,
            )
        key = state.endpoint.api_key
        return endpoint_of(state.endpoint.base_url, {"authorization": f"Bearer {key}"})

    def obstacle(self) -> str:
        """What keeps the model from answering now, or an empty text."""
        state = self.model.state
        if isinstance(state, Ready):
            return ""
        return state.reason if isinstance(state, Failed) else "loading the model"

    @property
    def open_connections(self) -> int:
        """Connections to the model's process."""
        return self._upstream.open_connections

    async def open(self, attempt: Attempt) -> Reply:
        """Wait until the model has loaded and open an answer; see core.ports.Provider."""
        await self.model.ready()
        # A stream that is closed frees the processor at once, a whole answer up to a second later.
        attempt.streaming = True
        return await self._upstream.open(attempt)

    async def models(self) -> Sequence[str]:
        """The one model that the process serves."""
        await self.model.ready()
        return await self._upstream.models()

    async def aclose(self) -> None:
        """Close the connections and end the process."""
        await self._upstream.aclose()
        await self.model.aclose()
