package dev.interlingua.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Gives each call what it does not bring itself: credentials, a time limit, the trace. */
final class CallDefaults implements ClientInterceptor {
  /** The metadata of one call. */
  static final CallOptions.Key<Metadata> METADATA =
      CallOptions.Key.create("dev.interlingua.client.metadata");

  private static final Metadata.Key<String> TRACEPARENT =
      Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

  private final TimeLimits limits;
  private final BearerToken bearer;
  private final Supplier<String> traceparent;

  CallDefaults(TimeLimits limits, BearerToken bearer, Supplier<String> traceparent) {
    this.limits = limits;
    this.bearer = bearer;
    this.traceparent = traceparent;
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    return new SimpleForwardingClientCall<>(next.newCall(method, completed(method, options))) {
      @Override
      public void start(Listener<R> listener, Metadata headers) {
        Metadata own = options.getOption(METADATA);
        if (own != null) {
          headers.merge(own);
        }
        String trace = traceparent == null ? null : traceparent.get();
        if (trace != null && !headers.containsKey(TRACEPARENT)) {
          headers.put(TRACEPARENT, trace);
        }
        super.start(listener, headers);
      }
    };
  }

  private CallOptions completed(MethodDescriptor<?, ?> method, CallOptions options) {
    CallOptions whole = options;
    Duration limit = limits.of(method.getServiceName(), method.getBareMethodName());
    if (whole.getDeadline() == null && limit != null) {
      whole = whole.withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS);
    }
    if (whole.getCredentials() == null && bearer != null) {
      whole = whole.withCallCredentials(bearer);
    }
    return whole;
  }
}
