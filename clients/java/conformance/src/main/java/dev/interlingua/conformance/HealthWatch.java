package dev.interlingua.conformance;

import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Watches grpc.health.v1 while the gateway goes away and comes back. */
final class HealthWatch {
  private static final int TRIES = 50;
  private static final long PAUSE_MS = 200;

  private final Channel channel;
  private final Consumer<String> pause;

  HealthWatch(Channel channel, Consumer<String> pause) {
    this.channel = channel;
    this.pause = pause;
  }

  Map<String, Object> run() throws Exception {
    List<String> statuses = new ArrayList<>();
    Iterator<HealthCheckResponse> watch = open();
    statuses.add(watch.next().getStatus().name());
    pause.accept("watching");
    try {
      watch.forEachRemaining(change -> statuses.add(change.getStatus().name()));
    } catch (StatusRuntimeException ended) {
      // The gateway went away; that is an end like any other.
    }
    return Map.of("statuses", statuses, "again", again());
  }

  private String again() throws Exception {
    for (int tries = 1; ; tries++) {
      Context.CancellableContext context = Context.current().withCancellation();
      try {
        return context.call(() -> open().next().getStatus().name());
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE || tries == TRIES) {
          throw error;
        }
        Thread.sleep(PAUSE_MS);
      } finally {
        context.cancel(null);
      }
    }
  }

  private Iterator<HealthCheckResponse> open() {
    return HealthGrpc.newBlockingStub(channel).watch(HealthCheckRequest.getDefaultInstance());
  }
}
