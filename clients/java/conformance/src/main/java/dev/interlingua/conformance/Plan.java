package dev.interlingua.conformance;

import com.google.gson.JsonElement;
import java.util.List;
import java.util.Map;

/** What the harness asks for. */
record Plan(List<Scenario> scenarios) {
  /**
   * One scenario.
   *
   * @param request the binary message in base64; null where the operation takes none
   */
  record Scenario(String name, String op, String request, Map<String, JsonElement> options) {
    JsonElement option(String key) {
      return options == null ? null : options.get(key);
    }

    int number(String key, int otherwise) {
      return option(key) == null ? otherwise : option(key).getAsInt();
    }
  }
}
