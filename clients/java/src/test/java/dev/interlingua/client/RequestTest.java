package dev.interlingua.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.interlingua.v1.JsonSchemaFormat;
import dev.interlingua.v1.MediaDetail;
import dev.interlingua.v1.Message;
import dev.interlingua.v1.Role;
import dev.interlingua.v1.Tool;
import dev.interlingua.v1.ToolCall;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RequestTest {
  record Animal(String name, int legs) {}

  @Test
  void a_message_holds_text_and_pictures() {
    Message message =
        Messages.user(
            Parts.text("What is this?"),
            Parts.image(new byte[] {1, 2}, "image/png", MediaDetail.MEDIA_DETAIL_HIGH),
            Parts.image(URI.create("https://example.org/fox.jpg")));
    assertEquals(Role.ROLE_USER, message.getRole());
    assertEquals("What is this?", message.getParts(0).getText());
    assertEquals("image/png", message.getParts(1).getImage().getMimeType());
    assertEquals(MediaDetail.MEDIA_DETAIL_HIGH, message.getParts(1).getImage().getDetail());
    assertEquals("https://example.org/fox.jpg", message.getParts(2).getImage().getUri());
    assertThrows(IllegalArgumentException.class, () -> Parts.image(new byte[0], ""));
  }

  @Test
  void a_tool_goes_its_whole_way() {
    Tool tool = Tools.function("lookup", "Looks up an animal.", "{\"type\":\"object\"}");
    assertEquals("{\"type\":\"object\"}", tool.getParametersJsonSchema());
    assertEquals("lookup", Tools.named("lookup").getToolName());
    ToolCall call =
        Parts.toolCall("call_1", "lookup", "{\"name\":\"fox\",\"legs\":4}").getToolCall();
    assertEquals(new Animal("fox", 4), Tools.arguments(call, Animal.class));
    Message result = Messages.toolResult(call, "Vulpes vulpes");
    assertEquals(Role.ROLE_TOOL, result.getRole());
    assertEquals("call_1", result.getParts(0).getToolResult().getToolCallId());
    assertEquals("lookup", result.getParts(0).getToolResult().getName());
    assertEquals(
        true, Messages.toolFailure(call, "no fox").getParts(0).getToolResult().getIsError());
  }

  @Test
  void structured_output_is_a_value() {
    JsonSchemaFormat format = Formats.jsonSchema("animal", "{}").getJsonSchema();
    assertEquals("animal", format.getName());
    assertEquals(true, format.getStrict());
    GenerateResult result = new GenerateResult(Events.answer("{\"name\":\"fox\",\"legs\":4}"));
    assertEquals(new Animal("fox", 4), result.json(Animal.class));
    GenerateResult cut = new GenerateResult(Events.answer("{\"name\":\"fo"));
    assertThrows(com.google.gson.JsonParseException.class, () -> cut.json(Animal.class));
  }

  @Test
  void options_are_immutable() {
    RequestOptions none = RequestOptions.none();
    none.metadata("x-team", "blue");
    assertEquals(
        List.of(), List.copyOf(none.toCallOptions().getOption(CallDefaults.METADATA).keys()));
    assertThrows(IllegalArgumentException.class, () -> none.timeout(java.time.Duration.ZERO));
  }

  @Test
  void a_key_of_another_form_is_refused_with_the_way_to_mend_it(@TempDir Path folder)
      throws IOException {
    Path key = folder.resolve("client.key");
    Files.writeString(key, "-----BEGIN EC PRIVATE KEY-----");
    Tls tls = Tls.usual().identity(folder.resolve("client.pem").toFile(), key.toFile());
    IllegalArgumentException error = assertThrows(IllegalArgumentException.class, tls::toGrpc);
    assertTrue(error.getMessage().contains("openssl pkcs8 -topk8"));
    assertThrows(
        UncheckedIOException.class,
        Tls.usual().trusting(folder.resolve("absent.pem").toFile())::toGrpc);
  }
}
