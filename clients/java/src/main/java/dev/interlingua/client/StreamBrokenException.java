package dev.interlingua.client;

import io.grpc.Status;

/** A stream ended before its answer was whole; what came before is valid but not complete. */
public final class StreamBrokenException extends InterlinguaException {
  private static final long serialVersionUID = 1L;

  StreamBrokenException(
      Status.Code code, String description, com.google.rpc.Status details, Throwable cause) {
    super(code, description, details, cause);
  }
}
