package dev.interlingua.conformance;

import dev.interlingua.client.Formats;
import dev.interlingua.client.Messages;
import dev.interlingua.client.Parts;
import dev.interlingua.client.Tools;
import dev.interlingua.v1.GenerateRequest;
import dev.interlingua.v1.MediaDetail;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.SamplingOptions;
import java.net.URI;

/** The request that the suite describes in words, made with the client's own means. */
final class BuiltRequest {
  private static final byte[] PNG = {(byte) 0x89, 0x50, 0x4e, 0x47};
  private static final String PARAMETERS =
      """
      {"type":"object","properties":{"animal":{"type":"string"}},"required":["animal"]}""";
  private static final String SCHEMA =
      """
      {"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}""";

  private BuiltRequest() {}

  static GenerateRequest make() {
    Part call = Parts.toolCall("call_1", "lookup", "{\"animal\":\"fox\"}");
    return GenerateRequest.newBuilder()
        .setModel("any")
        .addMessages(Messages.system("Be brief."))
        .addMessages(
            Messages.user(
                Parts.text("What is this? 🦊"),
                Parts.image(PNG, "image/png", MediaDetail.MEDIA_DETAIL_HIGH)))
        .addMessages(Messages.user(Parts.image(URI.create("https://example.org/fox.jpg"))))
        .addMessages(Messages.assistant(call))
        .addMessages(Messages.toolResult(call.getToolCall(), "Vulpes vulpes"))
        .addTools(Tools.function("lookup", "Looks up an animal.", PARAMETERS))
        .setResponseFormat(Formats.jsonSchema("animal", SCHEMA))
        .setSampling(SamplingOptions.newBuilder().setTemperature(0.5).setMaxOutputTokens(100))
        .build();
  }
}
