"""A request body in the making, which refuses what the provider cannot honour."""

from __future__ import annotations

import msgspec

from interlingua_gateway.core.call import Attempt, Warned
from interlingua_gateway.core.errors import CallerError, Reason
from interlingua_gateway.core.types import EmbedRequest, GenerateRequest
from interlingua_gateway.providers.options import options_of


class Form:
    """Collects the fields of one body for one attempt at a provider that lacks `lacks`."""

    __slots__ = ("_attempt", "_lacks", "body")

    def __init__(self, attempt: Attempt, lacks: frozenset[str]) -> None:
        self._attempt = attempt
        self._lacks = lacks
        self.body: dict[str, object] = {"model": attempt.target.model}

    def put(self, path: str, name: str, value: object) -> None:
        """Set the upstream's `name` to `value` unless it is None; `path` is the caller's field.

        Raises:
            CallerError: the provider lacks `path` and the caller is not lenient.
        """
        if value is None:
            return
        if self.takes(path, path):
            self.body[name] = value

    def takes(self, feature: str, path: str) -> bool:
        """Whether the provider has `feature`; if not, the field at `path` is to be left out.

        Raises:
            CallerError: it has not, and the caller is not lenient.
        """
        if feature not in self._lacks:
            return True
        self.refuse(path)
        return False

    def refuse(self, path: str, description: str = "") -> None:
        """Warn that the field at `path` is left out.

        Raises:
            CallerError: the caller is not lenient.
        """
        provider = self._attempt.target.provider
        text = description or f"provider {provider} does not support it"
        if not self._attempt.lenient:
            raise CallerError.of_field(path, text, Reason.UNSUPPORTED_PARAMETER)
        self.warn(path, f"{text}; left out")

    def warn(self, path: str, description: str) -> None:
        """Tell the caller what was not honoured."""
        self._attempt.warnings.append(Warned(path, description))

    def merge(self, request: GenerateRequest | EmbedRequest) -> None:
        """Put the caller's own provider options over the body.

        Raises:
            CallerError: see `options_of`.
        """
        self.body.update(options_of(request))

    def encode(self) -> bytes:
        """The body as JSON."""
        return msgspec.json.encode(self.body)
