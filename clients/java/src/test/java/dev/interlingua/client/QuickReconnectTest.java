package dev.interlingua.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.interlingua.v1.GatewayServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class QuickReconnectTest {
  private final AtomicLong nowNs = new AtomicLong(-7);
  private final Connection connection = new Connection();
  private final QuickReconnect reconnect = new QuickReconnect(connection, nowNs::get);

  private void call(ConnectivityState state) {
    connection.state = state;
    reconnect.interceptCall(
        GatewayServiceGrpc.getGenerateMethod(), CallOptions.DEFAULT, connection);
  }

  @Test
  void a_call_without_a_connection_tries_at_once_but_not_too_often() {
    call(ConnectivityState.TRANSIENT_FAILURE);
    assertEquals(1, connection.resets);
    nowNs.addAndGet(TimeUnit.MILLISECONDS.toNanos(1999));
    call(ConnectivityState.TRANSIENT_FAILURE);
    assertEquals(1, connection.resets);
    nowNs.addAndGet(TimeUnit.MILLISECONDS.toNanos(1));
    call(ConnectivityState.TRANSIENT_FAILURE);
    assertEquals(2, connection.resets);
  }

  @Test
  void a_connection_that_stands_is_left_alone() {
    call(ConnectivityState.READY);
    call(ConnectivityState.CONNECTING);
    call(ConnectivityState.IDLE);
    assertEquals(0, connection.resets);
  }

  /** A connection in a state of the test's choice that never calls anybody. */
  private static final class Connection extends ManagedChannel {
    ConnectivityState state;
    int resets;

    @Override
    public ConnectivityState getState(boolean requestConnection) {
      return state;
    }

    @Override
    public void resetConnectBackoff() {
      resets++;
    }

    @Override
    public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
      return null;
    }

    @Override
    public String authority() {
      return "gateway";
    }

    @Override
    public ManagedChannel shutdown() {
      return this;
    }

    @Override
    public ManagedChannel shutdownNow() {
      return this;
    }

    @Override
    public boolean isShutdown() {
      return false;
    }

    @Override
    public boolean isTerminated() {
      return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return false;
    }
  }
}
