package dev.interlingua.client;

import dev.interlingua.v1.Message;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.Role;
import dev.interlingua.v1.ToolCall;
import dev.interlingua.v1.ToolResult;
import java.util.List;

/** Makes the messages of a conversation; {@link Parts} makes what they hold. */
public final class Messages {
  private Messages() {}

  /** Instructions that stand above the conversation. */
  public static Message system(String text) {
    return message(Role.ROLE_SYSTEM, Parts.text(text));
  }

  /** Instructions of the application. */
  public static Message developer(String text) {
    return message(Role.ROLE_DEVELOPER, Parts.text(text));
  }

  /** What the person or program that asks says. */
  public static Message user(String text) {
    return user(Parts.text(text));
  }

  /** What the person or program that asks says and shows. */
  public static Message user(Part... parts) {
    return message(Role.ROLE_USER, parts);
  }

  /** What the model said. To go on from an answer, use {@link GenerateResult#message} instead. */
  public static Message assistant(String text) {
    return assistant(Parts.text(text));
  }

  /** What the model said and called. */
  public static Message assistant(Part... parts) {
    return message(Role.ROLE_ASSISTANT, parts);
  }

  /** What a tool returned for a call of the model. */
  public static Message toolResult(ToolCall call, String text) {
    return toolResult(call, Parts.text(text));
  }

  /** What a tool returned for a call of the model. */
  public static Message toolResult(ToolCall call, Part... parts) {
    return message(Role.ROLE_TOOL, result(call, false, parts));
  }

  /** That a tool failed; the text describes the failure to the model. */
  public static Message toolFailure(ToolCall call, String text) {
    return message(Role.ROLE_TOOL, result(call, true, Parts.text(text)));
  }

  private static Message message(Role role, Part... parts) {
    return Message.newBuilder().setRole(role).addAllParts(List.of(parts)).build();
  }

  private static Part result(ToolCall call, boolean failed, Part... parts) {
    ToolResult.Builder result =
        ToolResult.newBuilder()
            .setToolCallId(call.getId())
            .setName(call.getName())
            .addAllParts(List.of(parts))
            .setIsError(failed);
    return Part.newBuilder().setToolResult(result).build();
  }
}
