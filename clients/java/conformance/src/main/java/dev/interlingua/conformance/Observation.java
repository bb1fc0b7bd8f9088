package dev.interlingua.conformance;

import com.google.protobuf.MessageLite;
import dev.interlingua.client.InterlinguaException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The forms in which a runner tells what it saw. */
final class Observation {
  private Observation() {}

  static String bytes(MessageLite message) {
    return Base64.getEncoder().encodeToString(message.toByteArray());
  }

  /** Little-endian float32. */
  static String vector(float[] numbers) {
    ByteBuffer packed = ByteBuffer.allocate(4 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
    packed.asFloatBuffer().put(numbers);
    return Base64.getEncoder().encodeToString(packed.array());
  }

  static Map<String, Object> error(InterlinguaException error) {
    Map<String, Object> seen = new HashMap<>();
    seen.put("code", error.code().name());
    seen.put("reason", error.reason());
    seen.put("message", error.description());
    seen.put("retry_after_ms", error.retryDelay().map(Duration::toMillis).orElse(null));
    seen.put(
        "violations",
        error.violations().stream()
            .map(one -> Map.of("subject", one.subject(), "description", one.description()))
            .toList());
    seen.put(
        "resource",
        error.resource().map(one -> Map.of("type", one.type(), "name", one.name())).orElse(null));
    seen.put("metadata", error.metadata());
    return seen;
  }

  static Map<String, Object> without(Map<String, Object> seen, List<String> keys) {
    Map<String, Object> rest = new HashMap<>(seen);
    keys.forEach(rest::remove);
    return rest;
  }
}
