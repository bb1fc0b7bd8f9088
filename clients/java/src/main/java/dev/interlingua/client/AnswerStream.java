package dev.interlingua.client;

import dev.interlingua.v1.GatewayServiceGrpc;
import dev.interlingua.v1.GenerateRequest;
import dev.interlingua.v1.StreamGenerateResponse;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * A streamed answer: the contract's events as they come, to be read once, by one thread.
 *
 * <p>Iteration ends quietly only after the whole answer; otherwise it throws what went wrong, again
 * at every further try. Closing the stream, from any thread, cancels an answer that has not ended;
 * the gateway then ends it at the provider.
 */
public final class AnswerStream implements Iterable<StreamGenerateResponse>, AutoCloseable {
  private final Context.CancellableContext context;
  private final Iterator<StreamGenerateResponse> messages;
  private final AnswerAssembler assembler = new AnswerAssembler();
  private volatile boolean closed;
  private boolean ended;

  private AnswerStream(
      Context.CancellableContext context, Iterator<StreamGenerateResponse> messages) {
    this.context = context;
    this.messages = messages;
  }

  static AnswerStream open(Channel channel, GenerateRequest request, RequestOptions options) {
    Context.CancellableContext context = Context.current().withCancellation();
    Context previous = context.attach();
    try {
      Iterator<StreamGenerateResponse> messages =
          ClientCalls.blockingServerStreamingCall(
              channel,
              GatewayServiceGrpc.getStreamGenerateMethod(),
              options.toCallOptions(),
              request);
      return new AnswerStream(context, messages);
    } finally {
      context.detach(previous);
    }
  }

  /** The events that have not been read yet; every iterator of a stream is the same. */
  @Override
  public Iterator<StreamGenerateResponse> iterator() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return arrives();
      }

      @Override
      public StreamGenerateResponse next() {
        return read();
      }
    };
  }

  /** The text of the first candidate as it comes; skips every other event. */
  public Iterable<String> textDeltas() {
    return textDeltas(0);
  }

  /** The text of one candidate as it comes; skips every other event. */
  public Iterable<String> textDeltas(int candidate) {
    return () -> new TextDeltas(iterator(), candidate);
  }

  /** Reads the rest and returns the whole answer. */
  public GenerateResult collect() {
    while (arrives()) {
      read();
    }
    return response();
  }

  /**
   * The whole answer, after its end.
   *
   * @throws InterlinguaException what the stream failed of
   * @throws IllegalStateException if it goes on
   */
  public GenerateResult response() {
    if (closed && !ended) {
      throw assembler.fail(closedByReader());
    }
    return assembler.response();
  }

  /** The answer as far as it has been read, whole or not. */
  public GenerateResult partial() {
    return assembler.partial();
  }

  @Override
  public void close() {
    closed = true;
    context.cancel(null);
  }

  private boolean arrives() {
    if (ended) {
      return false;
    }
    if (closed) {
      throw assembler.fail(closedByReader());
    }
    assembler.throwIfFailed();
    try {
      if (messages.hasNext()) {
        return true;
      }
    } catch (StatusRuntimeException error) {
      context.cancel(null);
      throw assembler.fail(closed ? closedByReader() : InterlinguaException.of(error));
    }
    ended = true;
    context.cancel(null);
    assembler.end();
    return false;
  }

  private StreamGenerateResponse read() {
    if (!arrives()) {
      throw new NoSuchElementException("the answer has ended");
    }
    StreamGenerateResponse event = messages.next();
    try {
      assembler.add(event);
    } catch (StreamBrokenException error) {
      context.cancel(error);
      throw error;
    }
    return event;
  }

  private static InterlinguaException closedByReader() {
    Status closed = Status.CANCELLED.withDescription("the stream was closed before its end");
    return InterlinguaException.of(closed.asRuntimeException());
  }
}
