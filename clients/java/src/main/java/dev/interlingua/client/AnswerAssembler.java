package dev.interlingua.client;

import dev.interlingua.v1.GenerateResponse;
import dev.interlingua.v1.StreamCompleted;
import dev.interlingua.v1.StreamGenerateResponse;
import io.grpc.Status;
import java.util.Map;
import java.util.TreeMap;

/**
 * Puts the events of a stream together and knows whether the answer is whole; for one thread.
 *
 * <p>There is a whole answer only after the {@code completed} event and an OK status; whatever ends
 * the stream otherwise is kept as its failure.
 */
public final class AnswerAssembler {
  private final GenerateResponse.Builder answer = GenerateResponse.newBuilder();
  private final Map<Integer, CandidateAssembler> candidates = new TreeMap<>();
  private long next;
  private boolean completed;
  private boolean ended;
  private InterlinguaException failure;

  /**
   * Takes the next event.
   *
   * @throws StreamBrokenException if one is missing or comes after the last
   */
  public void add(StreamGenerateResponse event) {
    if (event.getSequence() != next || completed) {
      throw fail(broken(completed ? "an event came after the last" : "an event was lost"));
    }
    next++;
    switch (event.getEventCase()) {
      case START:
        answer.setOperationId(event.getStart().getOperationId());
        answer.setAnsweredBy(event.getStart().getAnsweredBy());
        break;
      case USAGE:
        answer.setUsage(event.getUsage());
        break;
      case ATTEMPT:
        answer.getReportBuilder().addAttempts(event.getAttempt());
        break;
      case COMPLETED:
        complete(event.getCompleted());
        break;
      case EVENT_NOT_SET:
        break;
      default:
        candidates.computeIfAbsent(event.getCandidateIndex(), CandidateAssembler::new).add(event);
    }
  }

  /**
   * Notes that the stream ended with status OK.
   *
   * @throws StreamBrokenException if it may not, because its last event is missing
   */
  public void end() {
    if (!completed) {
      throw fail(broken("the stream ended without its last event"));
    }
    ended = true;
  }

  /** Notes that the stream failed, and returns what to throw for it; the first failure counts. */
  public InterlinguaException fail(InterlinguaException error) {
    if (failure == null) {
      failure = next > 0 ? error.cutOff() : error;
    }
    return failure;
  }

  /** Throws the stream's failure if there is one. */
  public void throwIfFailed() {
    if (failure != null) {
      throw failure;
    }
  }

  /**
   * The whole answer.
   *
   * @throws InterlinguaException what the stream failed of
   * @throws IllegalStateException if it goes on
   */
  public GenerateResult response() {
    throwIfFailed();
    if (!ended) {
      throw new IllegalStateException("the stream goes on: read it to its end first");
    }
    return partial();
  }

  /** The answer as far as it has come; nothing says that it is whole. */
  public GenerateResult partial() {
    GenerateResponse.Builder whole = answer.clone();
    candidates.values().forEach(candidate -> whole.addCandidates(candidate.whole()));
    return new GenerateResult(whole.build());
  }

  private void complete(StreamCompleted end) {
    completed = true;
    answer.setReport(end.getReport());
    if (end.hasUsage()) {
      answer.setUsage(end.getUsage());
    }
    if (end.hasCost()) {
      answer.setCost(end.getCost());
    }
  }

  private static InterlinguaException broken(String text) {
    return new StreamBrokenException(Status.Code.DATA_LOSS, text, null, null);
  }
}
