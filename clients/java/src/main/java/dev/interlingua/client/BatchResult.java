package dev.interlingua.client;

import dev.interlingua.v1.BatchGenerateResponse;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/** The result of one request of a batch: an answer or an error. */
public final class BatchResult {
  private final GenerateResult answer;
  private final InterlinguaException error;

  private BatchResult(GenerateResult answer, InterlinguaException error) {
    this.answer = answer;
    this.error = error;
  }

  /** The result that a message of the contract holds. */
  public static BatchResult of(BatchGenerateResponse message) {
    if (message.hasResponse()) {
      return new BatchResult(new GenerateResult(message.getResponse()), null);
    }
    return new BatchResult(null, InterlinguaException.of(message.getError()));
  }

  /** Whether there is an answer. */
  public boolean isAnswered() {
    return error == null;
  }

  /**
   * The answer.
   *
   * @throws InterlinguaException what the request failed of
   */
  public GenerateResult get() {
    if (error != null) {
      throw error;
    }
    return answer;
  }

  /** What the request failed of, if it did. */
  public Optional<InterlinguaException> error() {
    return Optional.ofNullable(error);
  }

  /**
   * The results of a batch in the order of its requests. A request without a result holds how the
   * stream of results failed, or that it broke off.
   *
   * @param failure how the stream of results ended; null if well
   * @throws InterlinguaException {@code failure}, if nothing had arrived
   */
  public static List<BatchResult> inOrder(
      int count, List<BatchGenerateResponse> arrived, InterlinguaException failure) {
    if (failure != null && arrived.isEmpty()) {
      throw failure;
    }
    InterlinguaException missing =
        failure == null
            ? new StreamBrokenException(Status.Code.DATA_LOSS, "no result was sent", null, null)
            : failure.cutOff();
    List<BatchResult> results =
        new ArrayList<>(Collections.nCopies(count, new BatchResult(null, missing)));
    for (BatchGenerateResponse message : arrived) {
      if (Integer.compareUnsigned(message.getIndex(), count) < 0) {
        results.set(message.getIndex(), of(message));
      }
    }
    return results;
  }
}
