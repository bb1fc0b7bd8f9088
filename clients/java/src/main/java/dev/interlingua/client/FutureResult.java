package dev.interlingua.client;

import io.grpc.ClientCall;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** The result of a call that runs; cancelling it cancels the call. */
final class FutureResult<R, T> extends CompletableFuture<T> {
  private final ClientCall<?, R> call;
  private final Function<R, T> result;

  FutureResult(ClientCall<?, R> call, Function<R, T> result) {
    this.call = call;
    this.result = result;
  }

  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    boolean cancelled = super.cancel(mayInterruptIfRunning);
    if (cancelled) {
      call.cancel("the future was cancelled", null);
    }
    return cancelled;
  }

  StreamObserver<R> observer() {
    return new StreamObserver<>() {
      @Override
      public void onNext(R response) {
        complete(result.apply(response));
      }

      @Override
      public void onError(Throwable error) {
        completeExceptionally(InterlinguaException.of(error));
      }

      @Override
      public void onCompleted() {}
    };
  }
}
