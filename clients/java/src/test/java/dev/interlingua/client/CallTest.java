package dev.interlingua.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.interlingua.v1.BatchGenerateResponse;
import dev.interlingua.v1.EmbedResponse;
import dev.interlingua.v1.Embedding;
import dev.interlingua.v1.GenerateResponse;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class CallTest {
  private FakeGateway gateway;
  private InterlinguaClient client;

  @BeforeEach
  void start() throws IOException {
    gateway = new FakeGateway();
    client = InterlinguaClient.connect(gateway.address());
  }

  @AfterEach
  void stop() {
    client.close();
    gateway.close();
  }

  private void answers() {
    gateway.generate =
        (request, answer) -> {
          answer.onNext(Events.answer("Hello"));
          answer.onCompleted();
        };
  }

  @Test
  void answers_a_text() {
    answers();
    GenerateResult result = client.generate("Hi");
    assertEquals("Hello", result.text());
    assertEquals("op", result.operationId());
    assertTrue(result.costNanoUsd().isEmpty());
  }

  @Test
  void a_call_has_the_usual_time_the_clients_or_its_own() {
    answers();
    client.generate("Hi");
    assertEquals(600, Math.round(gateway.limits.get(0).toMillis() / 1000.0));
    RequestOptions own = RequestOptions.none().timeout(Duration.ofSeconds(7));
    client.generate(Requests.prompt("Hi"), own);
    assertEquals(7, Math.round(gateway.limits.get(1).toMillis() / 1000.0));
    ClientBuilder patient =
        InterlinguaClient.builder().address(gateway.address()).timeout(Duration.ofHours(1));
    try (InterlinguaClient other = patient.build()) {
      other.generate("Hi");
    }
    assertEquals(3600, Math.round(gateway.limits.get(2).toMillis() / 1000.0));
  }

  @Test
  void a_spent_deadline_is_an_error_of_that_code() {
    gateway.generate = (request, answer) -> {};
    RequestOptions options = RequestOptions.none().timeout(Duration.ofMillis(50));
    InterlinguaException error =
        assertThrows(
            InterlinguaException.class, () -> client.generate(Requests.prompt("Hi"), options));
    assertEquals(Status.Code.DEADLINE_EXCEEDED, error.code());
    assertEquals("", error.reason());
  }

  @Test
  void sends_the_token_that_the_source_gives_at_each_call() {
    answers();
    AtomicInteger asked = new AtomicInteger();
    ClientBuilder builder =
        InterlinguaClient.builder()
            .address(gateway.address())
            .tokenSource(() -> "token-" + asked.incrementAndGet());
    try (InterlinguaClient known = builder.build()) {
      known.generate("Hi");
      assertEquals("Bearer token-1", gateway.header("authorization"));
      known.generate("Hi");
      assertEquals("Bearer token-2", gateway.header("authorization"));
    }
  }

  @Test
  void no_key_and_no_token_is_told_by_an_error() {
    ClientBuilder builder = InterlinguaClient.builder().address(gateway.address());
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> builder.apiKey("secret\n"));
    assertFalse(refused.getMessage().contains("secret"));
    try (InterlinguaClient broken = builder.tokenSource(() -> "söcret").build()) {
      InterlinguaException error =
          assertThrows(InterlinguaException.class, () -> broken.generate("Hi"));
      assertEquals(Status.Code.UNAUTHENTICATED, error.code());
      assertFalse(error.getMessage().contains("cret"));
    }
  }

  @Test
  void continues_a_trace_and_sends_metadata() {
    answers();
    ClientBuilder builder =
        InterlinguaClient.builder().address(gateway.address()).traceparent(() -> "00-client");
    try (InterlinguaClient traced = builder.build()) {
      traced.generate("Hi");
      assertEquals("00-client", gateway.header("traceparent"));
      RequestOptions own = RequestOptions.none().traceparent("00-call").metadata("x-team", "blue");
      traced.generate(Requests.prompt("Hi"), own);
      assertEquals("00-call", gateway.header("traceparent"));
      assertEquals("blue", gateway.header("x-team"));
    }
  }

  @Test
  void repeats_what_never_began() {
    gateway.generate =
        (request, answer) -> {
          if (gateway.headers.size() < 3) {
            throw Status.UNAVAILABLE.asRuntimeException();
          }
          answer.onNext(Events.answer("at last"));
          answer.onCompleted();
        };
    assertEquals("at last", client.generate("Hi").text());
    assertEquals(3, gateway.headers.size());
  }

  @Test
  void repeats_nothing_that_the_gateway_forbids_to_repeat() {
    Metadata trailers = new Metadata();
    trailers.put(Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), "-1");
    gateway.generate =
        (request, answer) -> {
          throw Status.UNAVAILABLE.asRuntimeException(trailers);
        };
    assertThrows(InterlinguaException.class, () -> client.generate("Hi"));
    assertEquals(1, gateway.headers.size());
  }

  @Test
  void takes_answers_and_sends_requests_of_many_megabytes() {
    gateway.embed =
        (request, answer) -> {
          byte[] vector = new byte[20 * 1024 * 1024];
          Embedding big = Embedding.newBuilder().setFloat32Le(ByteString.copyFrom(vector)).build();
          answer.onNext(EmbedResponse.newBuilder().addEmbeddings(big).build());
          answer.onCompleted();
        };
    EmbedResult result = client.embed("any", List.of("a".repeat(3 * 1024 * 1024)));
    assertEquals(5 * 1024 * 1024, result.vectors().get(0).length);
  }

  @Test
  void vectors_come_from_floats_and_from_bytes() {
    byte[] packed = {0, 0, (byte) 0x80, 0x3f, 0, 0, 0, (byte) 0xc0};
    EmbedResponse response =
        EmbedResponse.newBuilder()
            .addEmbeddings(Embedding.newBuilder().addValues(0.5f).addValues(-2f))
            .addEmbeddings(Embedding.newBuilder().setFloat32Le(ByteString.copyFrom(packed)))
            .build();
    List<float[]> vectors = new EmbedResult(response).vectors();
    assertArrayEquals(new float[] {0.5f, -2f}, vectors.get(0));
    assertArrayEquals(new float[] {1f, -2f}, vectors.get(1));
  }

  @Test
  void a_batch_is_in_the_order_of_its_requests() {
    gateway.batch =
        (request, answer) -> {
          answer.onNext(
              BatchGenerateResponse.newBuilder()
                  .setIndex(1)
                  .setError(
                      com.google.rpc.Status.newBuilder()
                          .setCode(Status.Code.NOT_FOUND.value())
                          .setMessage("no such model"))
                  .build());
          GenerateResponse first = Events.answer("first");
          answer.onNext(BatchGenerateResponse.newBuilder().setResponse(first).build());
          answer.onCompleted();
        };
    List<BatchResult> results =
        client.batch(List.of(Requests.prompt("a"), Requests.prompt("b"), Requests.prompt("c")));
    assertEquals("first", results.get(0).get().text());
    assertEquals(Status.Code.NOT_FOUND, results.get(1).error().orElseThrow().code());
    assertInstanceOf(StreamBrokenException.class, results.get(2).error().orElseThrow());
    assertThrows(InterlinguaException.class, results.get(1)::get);
  }

  @Test
  void cancelling_a_future_cancels_the_call() throws InterruptedException {
    CountDownLatch begun = new CountDownLatch(1);
    gateway.generate = (request, answer) -> begun.countDown();
    CompletableFuture<GenerateResult> future =
        client.generateAsync(Requests.prompt("Hi"), RequestOptions.none());
    begun.await();
    assertTrue(future.cancel(true));
    gateway.cancelled.await();
    assertThrows(CancellationException.class, future::join);
  }

  @Test
  void a_future_brings_the_answer_or_the_error() throws Exception {
    answers();
    CompletableFuture<GenerateResult> future =
        client.generateAsync(Requests.prompt("Hi"), RequestOptions.none());
    assertEquals("Hello", future.get().text());
    gateway.generate =
        (request, answer) -> {
          throw Status.NOT_FOUND.asRuntimeException();
        };
    CompletableFuture<GenerateResult> failing =
        client.generateAsync(Requests.prompt("Hi"), RequestOptions.none());
    Throwable error =
        assertThrows(java.util.concurrent.ExecutionException.class, failing::get).getCause();
    assertEquals(Status.Code.NOT_FOUND, assertInstanceOf(InterlinguaException.class, error).code());
  }

  @Test
  void interrupting_the_caller_cancels_the_call() throws InterruptedException {
    CountDownLatch begun = new CountDownLatch(1);
    gateway.generate = (request, answer) -> begun.countDown();
    AtomicReference<InterlinguaException> seen = new AtomicReference<>();
    Thread caller =
        new Thread(
            () -> seen.set(assertThrows(InterlinguaException.class, () -> client.generate("Hi"))));
    caller.start();
    begun.await();
    caller.interrupt();
    caller.join();
    assertEquals(Status.Code.CANCELLED, seen.get().code());
    assertTrue(gateway.cancelled.await(10, TimeUnit.SECONDS));
  }
}
