package dev.interlingua.client;

import dev.interlingua.v1.Candidate;
import dev.interlingua.v1.Finish;
import dev.interlingua.v1.FinishReason;
import dev.interlingua.v1.GenerateResponse;
import dev.interlingua.v1.StreamCompleted;
import dev.interlingua.v1.StreamGenerateResponse;
import dev.interlingua.v1.StreamStart;
import dev.interlingua.v1.Usage;
import java.util.ArrayList;
import java.util.List;

/** Makes answers for the fake gateway. */
final class Events {
  private Events() {}

  /** A whole answer of one text. */
  static GenerateResponse answer(String text) {
    return GenerateResponse.newBuilder()
        .setOperationId("op")
        .addCandidates(Candidate.newBuilder().addParts(Parts.text(text)))
        .build();
  }

  /** The events of a whole answer, numbered. */
  static List<StreamGenerateResponse> whole(String... texts) {
    List<StreamGenerateResponse.Builder> events = new ArrayList<>();
    events.add(event().setStart(StreamStart.newBuilder().setOperationId("op")));
    for (String text : texts) {
      events.add(event().setTextDelta(text));
    }
    events.add(event().setFinish(Finish.newBuilder().setReason(FinishReason.FINISH_REASON_STOP)));
    Usage usage = Usage.newBuilder().setInputTokens(3).setOutputTokens(texts.length).build();
    events.add(event().setCompleted(StreamCompleted.newBuilder().setUsage(usage)));
    return numbered(events);
  }

  /** The events with their sequence numbers. */
  static List<StreamGenerateResponse> numbered(List<StreamGenerateResponse.Builder> events) {
    List<StreamGenerateResponse> made = new ArrayList<>();
    for (StreamGenerateResponse.Builder event : events) {
      made.add(event.setSequence(made.size()).build());
    }
    return made;
  }

  static StreamGenerateResponse.Builder event() {
    return StreamGenerateResponse.newBuilder();
  }
}
