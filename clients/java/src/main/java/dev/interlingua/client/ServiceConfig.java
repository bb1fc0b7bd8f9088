package dev.interlingua.client;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The service config that the clients of all languages share: balancing and repetition. */
final class ServiceConfig {
  private ServiceConfig() {}

  /** The config as gRPC wants it: JSON's own types, numbers as doubles. */
  static Map<String, ?> read() {
    try (InputStream file = ServiceConfig.class.getResourceAsStream("service_config.json");
        Reader text = new InputStreamReader(file, StandardCharsets.UTF_8)) {
      return new Gson().fromJson(text, new TypeToken<Map<String, Object>>() {}.getType());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
