package dev.interlingua.client;

import dev.interlingua.v1.JsonObjectFormat;
import dev.interlingua.v1.JsonSchemaFormat;
import dev.interlingua.v1.ResponseFormat;

/** Makes the forms that an answer's text must have. */
public final class Formats {
  private Formats() {}

  /** Some JSON object. Most models also want to be told so in the prompt. */
  public static ResponseFormat jsonObject() {
    return ResponseFormat.newBuilder().setJsonObject(JsonObjectFormat.getDefaultInstance()).build();
  }

  /**
   * A JSON value that satisfies a schema, exactly; read it by {@link GenerateResult#json}.
   *
   * @param name told to the model: letters, digits, {@code _} and {@code -}, at most 64
   * @param schema JSON Schema as JSON text
   */
  public static ResponseFormat jsonSchema(String name, String schema) {
    JsonSchemaFormat.Builder format =
        JsonSchemaFormat.newBuilder().setName(name).setSchemaJson(schema).setStrict(true);
    return ResponseFormat.newBuilder().setJsonSchema(format).build();
  }
}
