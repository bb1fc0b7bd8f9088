package dev.interlingua.conformance;

import dev.interlingua.client.AnswerStream;
import dev.interlingua.client.BatchResult;
import dev.interlingua.client.EmbedResult;
import dev.interlingua.client.GenerateResult;
import dev.interlingua.client.InterlinguaClient;
import dev.interlingua.client.InterlinguaException;
import dev.interlingua.client.RequestOptions;
import dev.interlingua.v1.BatchGenerateRequest;
import dev.interlingua.v1.CountTokensRequest;
import dev.interlingua.v1.EmbedRequest;
import dev.interlingua.v1.GenerateRequest;
import dev.interlingua.v1.HealthRequest;
import dev.interlingua.v1.Model;
import dev.interlingua.v1.StreamGenerateResponse;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The operations of a plan, on one client. */
final class Operations {
  private final InterlinguaClient client;
  private final Consumer<String> pause;

  Operations(InterlinguaClient client, Consumer<String> pause) {
    this.client = client;
    this.pause = pause;
  }

  Map<String, Object> repeated(Plan.Scenario scenario) throws Exception {
    int times = scenario.op().equals("drain") ? 1 : scenario.number("calls", 1);
    Map<String, Object> seen = Map.of();
    for (int i = 0; i < times; i++) {
      seen = once(scenario);
    }
    return seen;
  }

  private Map<String, Object> once(Plan.Scenario scenario) throws Exception {
    byte[] request =
        Base64.getDecoder().decode(scenario.request() == null ? "" : scenario.request());
    switch (scenario.op()) {
      case "stream":
        return stream(scenario, GenerateRequest.parseFrom(request));
      case "build":
        return Map.of("request", Observation.bytes(BuiltRequest.make()));
      case "watch":
        return new HealthWatch(client.channel(), pause).run();
      case "restart":
        return restart(GenerateRequest.parseFrom(request));
      case "drain":
        return drain(scenario, GenerateRequest.parseFrom(request));
      default:
        return unary(scenario, request);
    }
  }

  private Map<String, Object> unary(Plan.Scenario scenario, byte[] request) throws Exception {
    RequestOptions options = Connection.options(scenario);
    switch (scenario.op()) {
      case "generate":
        return generate(scenario, GenerateRequest.parseFrom(request));
      case "embed":
        EmbedRequest embed = EmbedRequest.parseFrom(request);
        return observed(() -> embedded(client.embed(embed, options)));
      case "batch":
        BatchGenerateRequest batch = BatchGenerateRequest.parseFrom(request);
        return observed(
            () ->
                Map.of(
                    "results",
                    client.batch(batch, options).stream().map(Operations::item).toList()));
      case "count_tokens":
        GenerateRequest counted = CountTokensRequest.parseFrom(request).getRequest();
        return observed(
            () -> Map.of("response", Observation.bytes(client.countTokens(counted, options))));
      case "health":
        HealthRequest health = HealthRequest.parseFrom(request);
        return observed(
            () -> Map.of("response", Observation.bytes(client.health(health, options))));
      case "list_models":
        return observed(
            () -> Map.of("models", client.models(options).stream().map(Model::getName).toList()));
      default:
        return Map.of("crash", "unknown op");
    }
  }

  private Map<String, Object> generate(Plan.Scenario scenario, GenerateRequest request)
      throws Exception {
    RequestOptions options = Connection.options(scenario);
    if (scenario.option("cancel_after_ms") == null) {
      return observed(() -> answer(client.generate(request, options)));
    }
    CompletableFuture<GenerateResult> call = client.generateAsync(request, options);
    later(scenario).execute(() -> call.cancel(true));
    return observed(
        () -> {
          try {
            return answer(call.get());
          } catch (java.util.concurrent.CancellationException cancelled) {
            return Map.of("cancelled", true);
          } catch (java.util.concurrent.ExecutionException failed) {
            throw InterlinguaException.of(failed.getCause());
          }
        });
  }

  private Map<String, Object> stream(Plan.Scenario scenario, GenerateRequest request) {
    AnswerStream stream = client.stream(request, Connection.options(scenario));
    boolean cancels = scenario.option("cancel_after_ms") != null;
    if (cancels) {
      later(scenario).execute(stream::close);
    }
    int most = scenario.number("leave_after_events", Integer.MAX_VALUE);
    Map<String, Object> seen = read(stream, most);
    if (cancels && isCancelled(seen)) {
      seen.remove("error");
      seen.put("cancelled", true);
    }
    return seen;
  }

  private static Map<String, Object> read(AnswerStream answer, int most) {
    List<String> events = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    Map<String, Object> seen = new HashMap<>();
    try (answer) {
      for (StreamGenerateResponse event : answer) {
        events.add(Observation.bytes(event));
        text.append(event.getCandidateIndex() == 0 ? event.getTextDelta() : "");
        if (events.size() == most) {
          seen.put("cancelled", true);
          break;
        }
      }
    } catch (InterlinguaException error) {
      seen.put("error", Observation.error(error));
    }
    seen.put("events", events);
    seen.put("text", text.toString());
    return seen;
  }

  private Map<String, Object> restart(GenerateRequest request) throws Exception {
    Map<String, Object> before = observed(() -> answer(client.generate(request)));
    pause.accept("restart");
    return Map.of("before", before, "after", observed(() -> answer(client.generate(request))));
  }

  private Map<String, Object> drain(Plan.Scenario scenario, GenerateRequest request)
      throws Exception {
    List<AnswerStream> open = new ArrayList<>();
    for (int i = 0; i < scenario.number("streams", 1); i++) {
      open.add(client.stream(request, Connection.options(scenario)));
    }
    open.forEach(Operations::readFirst);
    pause.accept("streaming");
    List<Map<String, Object>> streams = new ArrayList<>();
    for (AnswerStream stream : open) {
      streams.add(Observation.without(read(stream, Integer.MAX_VALUE), List.of("events")));
    }
    pause.accept("drained");
    List<Map<String, Object>> calls = new ArrayList<>();
    for (int i = 0; i < scenario.number("calls", 1); i++) {
      calls.add(
          Observation.without(
              observed(() -> answer(client.generate(request))), List.of("response")));
    }
    return Map.of("streams", streams, "calls", calls);
  }

  private static void readFirst(AnswerStream stream) {
    try {
      stream.iterator().next();
    } catch (InterlinguaException failed) {
      // The stream tells it again when it is read to its end.
    }
  }

  private static Map<String, Object> answer(GenerateResult result) {
    return Map.of("response", Observation.bytes(result.raw()), "text", result.text());
  }

  private static Map<String, Object> embedded(EmbedResult result) {
    List<String> vectors = result.vectors().stream().map(Observation::vector).toList();
    return Map.of("response", Observation.bytes(result.raw()), "vectors", vectors);
  }

  private static Map<String, Object> item(BatchResult result) {
    return result
        .error()
        .map(error -> Map.<String, Object>of("error", Observation.error(error)))
        .orElseGet(() -> Map.of("response", Observation.bytes(result.get().raw())));
  }

  private static Map<String, Object> observed(Callable<Map<String, Object>> call) throws Exception {
    try {
      return call.call();
    } catch (InterlinguaException error) {
      return Map.of("error", Observation.error(error));
    }
  }

  private static boolean isCancelled(Map<String, Object> seen) {
    return seen.get("error") instanceof Map<?, ?> error
        && Status.Code.CANCELLED.name().equals(error.get("code"));
  }

  private static Executor later(Plan.Scenario scenario) {
    return CompletableFuture.delayedExecutor(
        scenario.option("cancel_after_ms").getAsLong(), TimeUnit.MILLISECONDS);
  }
}
