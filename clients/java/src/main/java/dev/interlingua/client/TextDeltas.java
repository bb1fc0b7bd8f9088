package dev.interlingua.client;

import dev.interlingua.v1.StreamGenerateResponse;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** The text of one candidate out of the events of a stream. */
final class TextDeltas implements Iterator<String> {
  private final Iterator<StreamGenerateResponse> events;
  private final int candidate;
  private String next;

  TextDeltas(Iterator<StreamGenerateResponse> events, int candidate) {
    this.events = events;
    this.candidate = candidate;
  }

  @Override
  public boolean hasNext() {
    while (next == null && events.hasNext()) {
      StreamGenerateResponse event = events.next();
      if (event.getCandidateIndex() == candidate && !event.getTextDelta().isEmpty()) {
        next = event.getTextDelta();
      }
    }
    return next != null;
  }

  @Override
  public String next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the answer has ended");
    }
    String text = next;
    next = null;
    return text;
  }
}
