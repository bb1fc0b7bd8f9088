package dev.interlingua.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * Makes a call that finds the gateway unreachable try to connect at once, every two seconds at
 * most.
 *
 * <p>By itself gRPC for Java waits up to two minutes between its tries, and has no setting for it:
 * a gateway that was away for long would be back long before its callers notice.
 */
final class QuickReconnect implements ClientInterceptor {
  private static final long INTERVAL_NS = TimeUnit.SECONDS.toNanos(2);

  private final ManagedChannel connection;
  private final LongSupplier clockNs;
  private final AtomicLong lastNs;

  /** The clock is monotonic, in nanoseconds. */
  QuickReconnect(ManagedChannel connection, LongSupplier clockNs) {
    this.connection = connection;
    this.clockNs = clockNs;
    this.lastNs = new AtomicLong(clockNs.getAsLong() - INTERVAL_NS);
  }

  @Override
  public <Q, R> ClientCall<Q, R> interceptCall(
      MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
    if (connection.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      long nowNs = clockNs.getAsLong();
      long earlierNs = lastNs.get();
      if (nowNs - earlierNs >= INTERVAL_NS && lastNs.compareAndSet(earlierNs, nowNs)) {
        connection.resetConnectBackoff();
      }
    }
    return next.newCall(method, options);
  }
}
