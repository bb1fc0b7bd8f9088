package dev.interlingua.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.interlingua.client.ClientBuilder;
import dev.interlingua.client.InterlinguaClient;
import dev.interlingua.client.RequestOptions;
import dev.interlingua.client.Tls;
import java.io.File;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** The client and the options of the calls that a scenario wants. */
final class Connection {
  private Connection() {}

  /** A client for this scenario alone. */
  static InterlinguaClient own(Plan.Scenario scenario) {
    ClientBuilder builder =
        InterlinguaClient.builder().address(scenario.option("address").getAsString());
    if (scenario.option("tls") != null) {
      builder.tls(tls(scenario.option("tls").getAsJsonObject()));
    }
    if (scenario.option("api_key") != null) {
      builder.apiKey(scenario.option("api_key").getAsString());
    }
    if (scenario.option("token_source") != null) {
      AtomicInteger asked = new AtomicInteger();
      builder.tokenSource(() -> "token-" + asked.incrementAndGet());
    }
    return builder.build();
  }

  static RequestOptions options(Plan.Scenario scenario) {
    RequestOptions options = RequestOptions.none();
    if (scenario.option("deadline_ms") != null) {
      options = options.timeout(Duration.ofMillis(scenario.option("deadline_ms").getAsLong()));
    }
    if (scenario.option("traceparent") != null) {
      options = options.traceparent(scenario.option("traceparent").getAsString());
    }
    if (scenario.option("metadata") != null) {
      JsonObject metadata = scenario.option("metadata").getAsJsonObject();
      for (Map.Entry<String, JsonElement> entry : metadata.entrySet()) {
        options = options.metadata(entry.getKey(), entry.getValue().getAsString());
      }
    }
    return options;
  }

  private static Tls tls(JsonObject given) {
    Tls tls = Tls.usual().trusting(new File(given.get("ca_file").getAsString()));
    if (given.has("cert_file")) {
      File chain = new File(given.get("cert_file").getAsString());
      tls = tls.identity(chain, new File(given.get("key_file").getAsString()));
    }
    if (given.has("server_name")) {
      tls = tls.serverName(given.get("server_name").getAsString());
    }
    return tls;
  }
}
