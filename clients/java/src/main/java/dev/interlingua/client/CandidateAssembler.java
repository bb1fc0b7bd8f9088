package dev.interlingua.client;

import com.google.protobuf.ByteString;
import dev.interlingua.v1.Candidate;
import dev.interlingua.v1.Finish;
import dev.interlingua.v1.Media;
import dev.interlingua.v1.MediaDelta;
import dev.interlingua.v1.MediaDeltaKind;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.Reasoning;
import dev.interlingua.v1.ReasoningDelta;
import dev.interlingua.v1.StreamGenerateResponse;
import dev.interlingua.v1.TokenLogprob;
import dev.interlingua.v1.ToolCall;
import dev.interlingua.v1.ToolCallDelta;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Puts one candidate together: its parts in the order in which they began. */
final class CandidateAssembler {
  private final int index;
  private final List<Piece> pieces = new ArrayList<>();
  private final Map<Integer, Call> calls = new HashMap<>();
  private final List<TokenLogprob> logprobs = new ArrayList<>();
  private Finish finish;

  CandidateAssembler(int index) {
    this.index = index;
  }

  /** Takes an event of this candidate; skips one that it does not know. */
  void add(StreamGenerateResponse event) {
    switch (event.getEventCase()) {
      case TEXT_DELTA:
        text().append(event.getTextDelta());
        break;
      case REASONING_DELTA:
        addThought(event.getReasoningDelta());
        break;
      case TOOL_CALL_DELTA:
        addCall(event.getToolCallDelta());
        break;
      case MEDIA_DELTA:
        addMedia(event.getMediaDelta());
        break;
      case LOGPROBS:
        logprobs.addAll(event.getLogprobs().getTokensList());
        break;
      case FINISH:
        finish = event.getFinish();
        break;
      default:
        break;
    }
  }

  Candidate whole() {
    Candidate.Builder candidate = Candidate.newBuilder().setIndex(index).addAllLogprobs(logprobs);
    pieces.forEach(piece -> candidate.addParts(piece.part()));
    if (finish != null) {
      candidate.setFinish(finish);
    }
    return candidate.build();
  }

  private StringBuilder text() {
    if (last() instanceof Text known) {
      return known.fragments;
    }
    Text begun = new Text();
    pieces.add(begun);
    return begun.fragments;
  }

  private void addThought(ReasoningDelta delta) {
    Thought thought;
    if (last() instanceof Thought known && known.continuesWith(delta)) {
      thought = known;
    } else {
      thought = new Thought();
      pieces.add(thought);
    }
    thought.fragments.append(delta.getText());
    thought.signature = delta.getSignature();
    thought.redacted = delta.getRedacted();
  }

  private void addCall(ToolCallDelta delta) {
    Call call = calls.get(delta.getCallIndex());
    if (call == null) {
      call = new Call();
      calls.put(delta.getCallIndex(), call);
      pieces.add(call);
    }
    call.id = call.id.isEmpty() ? delta.getId() : call.id;
    call.name = call.name.isEmpty() ? delta.getName() : call.name;
    call.fragments.append(delta.getArgumentsJsonFragment());
  }

  private void addMedia(MediaDelta delta) {
    if (delta.getKind() != MediaDeltaKind.MEDIA_DELTA_KIND_AUDIO) {
      Part picture = Part.newBuilder().setImage(delta.getMedia()).build();
      pieces.add(() -> picture);
      return;
    }
    Sound sound;
    if (last() instanceof Sound known) {
      sound = known;
    } else {
      sound = new Sound(delta.getMedia());
      pieces.add(sound);
    }
    sound.fragments.add(delta.getMedia().getData());
  }

  private Piece last() {
    return pieces.isEmpty() ? null : pieces.get(pieces.size() - 1);
  }

  /** A part in the making. */
  private interface Piece {
    Part part();
  }

  private static final class Text implements Piece {
    final StringBuilder fragments = new StringBuilder();

    @Override
    public Part part() {
      return Part.newBuilder().setText(fragments.toString()).build();
    }
  }

  /** Its signature ends it. */
  private static final class Thought implements Piece {
    final StringBuilder fragments = new StringBuilder();
    ByteString signature = ByteString.EMPTY;
    boolean redacted;

    boolean continuesWith(ReasoningDelta delta) {
      return signature.isEmpty() && redacted == delta.getRedacted();
    }

    @Override
    public Part part() {
      Reasoning.Builder reasoning =
          Reasoning.newBuilder()
              .setText(fragments.toString())
              .setSignature(signature)
              .setRedacted(redacted);
      return Part.newBuilder().setReasoning(reasoning).build();
    }
  }

  private static final class Call implements Piece {
    String id = "";
    String name = "";
    final StringBuilder fragments = new StringBuilder();

    @Override
    public Part part() {
      ToolCall.Builder call =
          ToolCall.newBuilder().setId(id).setName(name).setArgumentsJson(fragments.toString());
      return Part.newBuilder().setToolCall(call).build();
    }
  }

  private static final class Sound implements Piece {
    final Media first;
    final List<ByteString> fragments = new ArrayList<>();

    Sound(Media first) {
      this.first = first;
    }

    @Override
    public Part part() {
      Media.Builder sound = first.toBuilder();
      if (first.hasData()) {
        sound.setData(ByteString.copyFrom(fragments));
      }
      return Part.newBuilder().setAudio(sound).build();
    }
  }
}
