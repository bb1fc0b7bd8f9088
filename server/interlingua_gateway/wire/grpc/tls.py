"""TLS and mutual TLS whose certificates are read again when their files change."""

from __future__ import annotations

import logging
from pathlib import Path

import grpc
import msgspec

from interlingua_gateway.core.errors import InternalError

log = logging.getLogger("interlingua.tls")


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files. With `client_ca` clients may show a certificate, with `require_client` must."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    require_client: bool = False


class _Reader:
    """Reads the files when one has changed; keeps the last good set when they are broken."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = self._stamp()
        self.configuration = self._read()

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """The new configuration, or None to go on with the one before. Called by gRPC's own
        thread at each new connection."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return None
            self.configuration = self._read()
        except (OSError, ValueError) as error:
            log.error("cannot read TLS files", extra={"fields": {"error": str(error)}})
            return None
        self._seen = stamp
        log.info("TLS files read again")
        return self.configuration

    def _paths(self) -> tuple[Path, ...]:
        files = self._files
        return tuple(p for p in (files.certificate, files.key, files.client_ca) if p is not None)

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        stats = [path.stat() for path in self._paths()]
        return tuple((s.st_mtime_ns, s.st_ino, s.st_size) for s in stats)

    def _read(self) -> grpc.ServerCertificateConfiguration:
        files = self._files
        return grpc.ssl_server_certificate_configuration(
            [(files.key.read_bytes(), files.certificate.read_bytes())],
            root_certificates=files.client_ca.read_bytes() if files.client_ca else None,
        )


def credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Server credentials that follow their files.

    Raises:
        InternalError: a file cannot be read.
    """
    try:
        reader = _Reader(files)
    except OSError as error:
        raise InternalError(f"Cannot read the TLS file {error.filename}.") from error
    return grpc.dynamic_ssl_server_credentials(
        reader.configuration,
        reader.fetch,  # type: ignore[arg-type]  # None is what says "no change"
        require_client_authentication=files.require_client,
    )
