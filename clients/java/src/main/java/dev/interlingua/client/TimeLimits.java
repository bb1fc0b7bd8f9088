package dev.interlingua.client;

import java.time.Duration;
import java.util.Map;

/**
 * How long a call may take that names no time of its own.
 *
 * <p>They do not stand in the service config, because gRPC takes the shorter of the two and nobody
 * could then ask for more.
 */
record TimeLimits(Duration ofClient) {
  private static final Map<String, Duration> USUAL =
      Map.of(
          "Generate", Duration.ofSeconds(600),
          "StreamGenerate", Duration.ofSeconds(600),
          "Embed", Duration.ofSeconds(120),
          "BatchGenerate", Duration.ofSeconds(3600),
          "CountTokens", Duration.ofSeconds(30),
          "ListModels", Duration.ofSeconds(15),
          "GetModel", Duration.ofSeconds(15),
          "Health", Duration.ofSeconds(15));
  private static final String CONTRACT = "interlingua.v1.";

  /** The limit of a method, or null if it has none. Only the contract's own methods have one. */
  Duration of(String service, String method) {
    if (service == null || !service.startsWith(CONTRACT)) {
      return null;
    }
    return ofClient == null ? USUAL.get(method) : ofClient;
  }

  static Duration positive(Duration timeout) {
    if (timeout.isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("a timeout must be positive, not " + timeout);
    }
    return timeout;
  }
}
