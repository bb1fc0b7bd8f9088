package dev.interlingua.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.interlingua.v1.FinishReason;
import dev.interlingua.v1.StreamGenerateResponse;
import io.grpc.Context;
import io.grpc.Status;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class StreamTest {
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

  private void sends(List<StreamGenerateResponse> events, Status end) {
    gateway.stream =
        (request, answer) -> {
          events.forEach(answer::onNext);
          if (end == null) {
            return;
          }
          if (end.isOk()) {
            answer.onCompleted();
          } else {
            throw end.asRuntimeException();
          }
        };
  }

  @Test
  void text_comes_as_it_is_generated() {
    sends(Events.whole("He", "", "llo"), Status.OK);
    try (AnswerStream stream = client.stream("Hi")) {
      List<String> texts = new ArrayList<>();
      stream.textDeltas().forEach(texts::add);
      assertEquals(List.of("He", "llo"), texts);
      assertEquals("Hello", stream.response().text());
      assertEquals("op", stream.response().operationId());
      assertEquals(3, stream.response().usage().getInputTokens());
      assertEquals(FinishReason.FINISH_REASON_STOP, stream.response().finishReason());
    }
  }

  @Test
  void a_closed_stream_keeps_its_whole_answer() {
    sends(Events.whole("Hello"), Status.OK);
    AnswerStream stream = client.stream("Hi");
    assertEquals("Hello", stream.collect().text());
    stream.close();
    assertEquals("Hello", stream.response().text());
  }

  @Test
  void leaving_the_loop_cancels_the_call() throws InterruptedException {
    sends(Events.whole("He", "llo"), null);
    AnswerStream left;
    try (AnswerStream stream = client.stream("Hi")) {
      left = stream;
      for (String text : stream.textDeltas()) {
        assertEquals("He", text);
        break;
      }
      assertThrows(IllegalStateException.class, stream::response);
    }
    assertTrue(gateway.cancelled.await(10, TimeUnit.SECONDS));
    assertEquals("He", left.partial().text());
    InterlinguaException error = assertThrows(InterlinguaException.class, left::response);
    assertEquals(Status.Code.CANCELLED, error.code());
  }

  @Test
  void another_thread_may_close_it() throws InterruptedException {
    sends(Events.whole("He").subList(0, 2), null);
    AnswerStream stream = client.stream("Hi");
    Iterator<String> texts = stream.textDeltas().iterator();
    assertEquals("He", texts.next());
    Thread closer = new Thread(stream::close);
    closer.start();
    InterlinguaException error = assertThrows(InterlinguaException.class, texts::hasNext);
    assertEquals(Status.Code.CANCELLED, error.code());
    closer.join();
    assertTrue(gateway.cancelled.await(10, TimeUnit.SECONDS));
  }

  @Test
  void the_surrounding_context_cancels_it() throws InterruptedException {
    sends(Events.whole("He").subList(0, 2), null);
    Context.CancellableContext context = Context.current().withCancellation();
    context.run(
        () -> {
          AnswerStream stream = client.stream("Hi");
          Iterator<String> texts = stream.textDeltas().iterator();
          texts.next();
          context.cancel(null);
          InterlinguaException error = assertThrows(InterlinguaException.class, texts::hasNext);
          assertEquals(Status.Code.CANCELLED, error.code());
        });
    assertTrue(gateway.cancelled.await(10, TimeUnit.SECONDS));
  }

  @Test
  void a_connection_lost_in_the_middle_is_a_broken_stream() {
    sends(Events.whole("He").subList(0, 2), Status.UNAVAILABLE.withDescription("gone"));
    try (AnswerStream stream = client.stream("Hi")) {
      InterlinguaException error = assertThrows(InterlinguaException.class, stream::collect);
      assertInstanceOf(StreamBrokenException.class, error);
      assertEquals(Status.Code.UNAVAILABLE, error.code());
      assertSame(error, assertThrows(InterlinguaException.class, stream::response));
      assertEquals("He", stream.partial().text());
    }
  }

  @Test
  void a_failure_before_the_first_event_is_itself() {
    sends(List.of(), Status.NOT_FOUND.withDescription("no such model"));
    try (AnswerStream stream = client.stream("Hi")) {
      InterlinguaException error = assertThrows(InterlinguaException.class, stream::collect);
      assertEquals(InterlinguaException.class, error.getClass());
      assertEquals(Status.Code.NOT_FOUND, error.code());
      assertEquals("no such model", error.description());
    }
  }

  @Test
  void an_end_without_the_last_event_is_no_success() {
    List<StreamGenerateResponse> events = Events.whole("He", "llo");
    sends(events.subList(0, events.size() - 1), Status.OK);
    try (AnswerStream stream = client.stream("Hi")) {
      InterlinguaException error = assertThrows(InterlinguaException.class, stream::collect);
      assertEquals(Status.Code.DATA_LOSS, error.code());
    }
  }

  @Test
  void a_lost_event_is_no_success() throws InterruptedException {
    List<StreamGenerateResponse> events = new ArrayList<>(Events.whole("He", "llo"));
    events.remove(1);
    sends(events, null);
    try (AnswerStream stream = client.stream("Hi")) {
      assertThrows(StreamBrokenException.class, stream::collect);
    }
    assertTrue(gateway.cancelled.await(10, TimeUnit.SECONDS));
  }
}
