"""The TLS context under which the gateway trusts its upstreams."""

from __future__ import annotations

import ssl


def client_tls(ca_file: str = "") -> ssl.SSLContext:
    """A context that verifies names and chains against the authorities in `ca_file` (PEM), or
    without one against the system's. Reads files: build it once, before serving.

    Raises:
        OSError: the file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context
