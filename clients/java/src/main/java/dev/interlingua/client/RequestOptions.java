package dev.interlingua.client;

import io.grpc.CallOptions;
import io.grpc.Metadata;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** What one call brings beside its request. Immutable: each method returns changed options. */
public final class RequestOptions {
  private static final RequestOptions NONE = new RequestOptions(null, new Metadata());

  private final Duration timeout;
  private final Metadata metadata;

  private RequestOptions(Duration timeout, Metadata metadata) {
    this.timeout = timeout;
    this.metadata = metadata;
  }

  /** Nothing beside the request: the client's own settings hold. */
  public static RequestOptions none() {
    return NONE;
  }

  /**
   * Bounds the call, with all that the gateway does for it; counts from its begin.
   *
   * @throws IllegalArgumentException if it is not positive
   */
  public RequestOptions timeout(Duration timeout) {
    return new RequestOptions(TimeLimits.positive(timeout), metadata);
  }

  /** The W3C trace context that the call continues, such as {@code 00-4bf9...-00f0...-01}. */
  public RequestOptions traceparent(String traceparent) {
    return metadata("traceparent", traceparent);
  }

  /** Adds a key of gRPC metadata; a key may occur several times. */
  public RequestOptions metadata(String key, String value) {
    Metadata more = new Metadata();
    more.merge(metadata);
    more.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value);
    return new RequestOptions(timeout, more);
  }

  /** The same for a stub of gRPC on {@link InterlinguaClient#channel}; a timeout starts now. */
  public CallOptions toCallOptions() {
    CallOptions options = CallOptions.DEFAULT.withOption(CallDefaults.METADATA, metadata);
    if (timeout == null) {
      return options;
    }
    return options.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
  }
}
