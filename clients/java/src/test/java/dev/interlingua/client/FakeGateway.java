package dev.interlingua.client;

import dev.interlingua.v1.BatchGenerateRequest;
import dev.interlingua.v1.BatchGenerateResponse;
import dev.interlingua.v1.EmbedRequest;
import dev.interlingua.v1.EmbedResponse;
import dev.interlingua.v1.GatewayServiceGrpc;
import dev.interlingua.v1.GenerateRequest;
import dev.interlingua.v1.GenerateResponse;
import dev.interlingua.v1.StreamGenerateResponse;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A gRPC server on the loopback that plays one behaviour and remembers how it was called. */
final class FakeGateway extends GatewayServiceGrpc.GatewayServiceImplBase
    implements ServerInterceptor, AutoCloseable {
  /** What the server does with a call. */
  interface Behaviour<Q, R> {
    void play(Q request, StreamObserver<R> answer) throws Exception;
  }

  Behaviour<GenerateRequest, GenerateResponse> generate;
  Behaviour<GenerateRequest, StreamGenerateResponse> stream;
  Behaviour<EmbedRequest, EmbedResponse> embed;
  Behaviour<BatchGenerateRequest, BatchGenerateResponse> batch;

  /** The headers of each call, in their order. */
  final List<Metadata> headers = Collections.synchronizedList(new ArrayList<>());

  /** The time that each call had left when it came; null where it had no limit. */
  final List<Duration> limits = Collections.synchronizedList(new ArrayList<>());

  /** Falls when a caller has cancelled. */
  final CountDownLatch cancelled = new CountDownLatch(1);

  private final Server server;

  FakeGateway() throws IOException {
    server =
        Grpc.newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(this)
            .intercept(this)
            .build()
            .start();
  }

  String address() {
    return "127.0.0.1:" + server.getPort();
  }

  String header(String name) {
    return headers
        .get(headers.size() - 1)
        .get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata received, ServerCallHandler<Q, R> next) {
    headers.add(received);
    Deadline deadline = Context.current().getDeadline();
    limits.add(
        deadline == null ? null : Duration.ofMillis(deadline.timeRemaining(TimeUnit.MILLISECONDS)));
    return next.startCall(call, received);
  }

  @Override
  public void generate(GenerateRequest request, StreamObserver<GenerateResponse> answer) {
    play(generate, request, answer);
  }

  @Override
  public void streamGenerate(
      GenerateRequest request, StreamObserver<StreamGenerateResponse> answer) {
    play(stream, request, answer);
  }

  @Override
  public void embed(EmbedRequest request, StreamObserver<EmbedResponse> answer) {
    play(embed, request, answer);
  }

  @Override
  public void batchGenerate(
      BatchGenerateRequest request, StreamObserver<BatchGenerateResponse> answer) {
    play(batch, request, answer);
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  private <Q, R> void play(Behaviour<Q, R> behaviour, Q request, StreamObserver<R> answer) {
    ((ServerCallStreamObserver<R>) answer).setOnCancelHandler(cancelled::countDown);
    try {
      behaviour.play(request, answer);
    } catch (Exception error) {
      answer.onError(error);
    }
  }
}
