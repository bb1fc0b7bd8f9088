package dev.interlingua.client;

import static dev.interlingua.client.Events.event;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import dev.interlingua.v1.LogprobsDelta;
import dev.interlingua.v1.Media;
import dev.interlingua.v1.MediaDelta;
import dev.interlingua.v1.MediaDeltaKind;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.ReasoningDelta;
import dev.interlingua.v1.StreamCompleted;
import dev.interlingua.v1.StreamGenerateResponse;
import dev.interlingua.v1.TokenLogprob;
import dev.interlingua.v1.ToolCall;
import dev.interlingua.v1.ToolCallDelta;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class AnswerAssemblerTest {
  private static GenerateResult assembled(StreamGenerateResponse.Builder... events) {
    List<StreamGenerateResponse.Builder> all = new ArrayList<>(List.of(events));
    all.add(event().setCompleted(StreamCompleted.getDefaultInstance()));
    AnswerAssembler assembler = new AnswerAssembler();
    Events.numbered(all).forEach(assembler::add);
    assembler.end();
    return assembler.response();
  }

  private static ToolCallDelta.Builder call(int index, String id, String name, String fragment) {
    return ToolCallDelta.newBuilder()
        .setCallIndex(index)
        .setId(id)
        .setName(name)
        .setArgumentsJsonFragment(fragment);
  }

  @Test
  void parallel_tool_calls_keep_apart() {
    GenerateResult result =
        assembled(
            event().setToolCallDelta(call(0, "a", "weather", "{\"city\":")),
            event().setToolCallDelta(call(1, "b", "time", "{}")),
            event().setToolCallDelta(call(0, "", "", "\"Oslo\"}")));
    assertEquals(
        List.of(
            ToolCall.newBuilder()
                .setId("a")
                .setName("weather")
                .setArgumentsJson("{\"city\":\"Oslo\"}")
                .build(),
            ToolCall.newBuilder().setId("b").setName("time").setArgumentsJson("{}").build()),
        result.toolCalls());
  }

  @Test
  void a_signature_ends_a_thought() {
    ByteString signature = ByteString.copyFromUtf8("proof");
    GenerateResult result =
        assembled(
            event().setReasoningDelta(ReasoningDelta.newBuilder().setText("one")),
            event().setReasoningDelta(ReasoningDelta.newBuilder().setSignature(signature)),
            event().setReasoningDelta(ReasoningDelta.newBuilder().setText("two")),
            event().setTextDelta("said"));
    List<Part> parts = result.message().getPartsList();
    assertEquals(3, parts.size());
    assertEquals(signature, parts.get(0).getReasoning().getSignature());
    assertEquals("onetwo", result.reasoning());
    assertEquals("said", result.text());
  }

  @Test
  void sound_is_joined_and_pictures_stay_whole() {
    MediaDelta.Builder sound =
        MediaDelta.newBuilder()
            .setKind(MediaDeltaKind.MEDIA_DELTA_KIND_AUDIO)
            .setMedia(
                Media.newBuilder().setMimeType("audio/wav").setData(ByteString.copyFromUtf8("la")));
    MediaDelta.Builder picture =
        MediaDelta.newBuilder()
            .setKind(MediaDeltaKind.MEDIA_DELTA_KIND_IMAGE)
            .setMedia(Media.newBuilder().setUri("https://example.org/fox.jpg"));
    GenerateResult result =
        assembled(
            event().setMediaDelta(sound),
            event().setMediaDelta(sound),
            event().setMediaDelta(picture));
    List<Part> parts = result.message().getPartsList();
    assertEquals(2, parts.size());
    assertEquals("lala", parts.get(0).getAudio().getData().toStringUtf8());
    assertEquals("https://example.org/fox.jpg", parts.get(1).getImage().getUri());
  }

  @Test
  void candidates_and_their_logprobs_keep_apart() {
    LogprobsDelta.Builder logprobs =
        LogprobsDelta.newBuilder()
            .addTokens(TokenLogprob.newBuilder().setToken("b").setLogprob(-0.5));
    GenerateResult result =
        assembled(
            event().setCandidateIndex(1).setTextDelta("b"),
            event().setTextDelta("a"),
            event().setCandidateIndex(1).setLogprobs(logprobs));
    assertEquals("a", result.text());
    assertEquals("b", result.raw().getCandidates(1).getParts(0).getText());
    assertEquals(-0.5, result.raw().getCandidates(1).getLogprobs(0).getLogprob());
  }
}
