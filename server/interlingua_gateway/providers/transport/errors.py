"""Every way in which bytes can fail to travel, as one small tree of exceptions.

    TransportError
    +-- ConnectFailed        refused, unreachable, unknown host, refused by the proxy
    |   +-- TlsFailed        no trust in the certificate, or no common protocol
    +-- ConnectTimedOut      no connection within the connect timeout
    +-- NoFreeConnection     every connection is in use and none came free in time
    +-- ConnectionBroken     closed or reset before the response was whole
    +-- MalformedResponse    not HTTP/1.1, or a header beyond the bounds
    +-- BodyTooLarge         a whole body beyond the bound
    +-- UnsendableRequest    a header that would break the request's framing
    +-- TransportClosed      the client was closed

They do not leave the providers' room: a provider translates them to UpstreamErrors by type.
"""

from __future__ import annotations


class TransportError(Exception):
    """The common form; the text may hold addresses but no header and no body."""


class ConnectFailed(TransportError):
    """No connection could be made."""


class TlsFailed(ConnectFailed):
    """The connection was made, the TLS handshake failed."""


class ConnectTimedOut(TransportError):
    """No connection within the connect timeout."""


class NoFreeConnection(TransportError):
    """Every connection is in use and none came free in time."""


class ConnectionBroken(TransportError):
    """The connection ended before the response did."""


class MalformedResponse(TransportError):
    """What came back is not a response in HTTP/1.1."""


class BodyTooLarge(TransportError):
    """A whole body was asked for and is larger than the bound."""


class UnsendableRequest(TransportError):
    """A header holds a line break or a character outside ISO 8859-1."""


class TransportClosed(TransportError):
    """The client was closed."""
