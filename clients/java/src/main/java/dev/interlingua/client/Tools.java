package dev.interlingua.client;

import com.google.gson.Gson;
import dev.interlingua.v1.Tool;
import dev.interlingua.v1.ToolCall;
import dev.interlingua.v1.ToolChoice;
import dev.interlingua.v1.ToolMode;

/** Makes tools, says which are to be called, and reads the arguments of calls. */
public final class Tools {
  private Tools() {}

  /**
   * A function that the model may call.
   *
   * @param parameters the JSON Schema of its arguments, as JSON text; empty means no arguments
   */
  public static Tool function(String name, String description, String parameters) {
    return Tool.newBuilder()
        .setName(name)
        .setDescription(description)
        .setParametersJsonSchema(parameters)
        .build();
  }

  /** Leaves it to the model whether a tool is called. */
  public static ToolChoice auto() {
    return ToolChoice.newBuilder().setMode(ToolMode.TOOL_MODE_AUTO).build();
  }

  /** No tool may be called. */
  public static ToolChoice none() {
    return ToolChoice.newBuilder().setMode(ToolMode.TOOL_MODE_NONE).build();
  }

  /** At least one tool must be called. */
  public static ToolChoice required() {
    return ToolChoice.newBuilder().setMode(ToolMode.TOOL_MODE_REQUIRED).build();
  }

  /** This tool must be called. */
  public static ToolChoice named(String name) {
    return ToolChoice.newBuilder().setToolName(name).build();
  }

  /**
   * The arguments of a call as a value of a type; records and plain classes, read by Gson.
   *
   * @throws com.google.gson.JsonParseException if the model wrote something else
   */
  public static <T> T arguments(ToolCall call, Class<T> type) {
    return new Gson().fromJson(call.getArgumentsJson(), type);
  }
}
