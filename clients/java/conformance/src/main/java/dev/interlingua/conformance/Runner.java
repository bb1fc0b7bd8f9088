package dev.interlingua.conformance;

import com.google.gson.Gson;
import dev.interlingua.client.InterlinguaClient;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Performs the scenarios of a plan one after the other; see clients/conformance/README.md. */
public final class Runner {
  private final PrintStream out =
      new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
  private final BufferedReader in =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  private final Gson gson = new Gson();

  private Runner() {}

  /** Takes the gateway's address and the path of the plan. */
  public static void main(String[] arguments) throws IOException {
    new Runner().run(arguments[0], Path.of(arguments[1]));
  }

  private void run(String address, Path file) throws IOException {
    Plan plan = gson.fromJson(Files.readString(file), Plan.class);
    try (InterlinguaClient client = InterlinguaClient.connect(address)) {
      for (Plan.Scenario scenario : plan.scenarios()) {
        out.println(
            gson.toJson(
                Map.of("scenario", scenario.name(), "observed", perform(client, scenario))));
      }
    }
  }

  private Map<String, Object> perform(InterlinguaClient shared, Plan.Scenario scenario) {
    try {
      if (scenario.option("address") == null) {
        return new Operations(shared, this::pause).repeated(scenario);
      }
      try (InterlinguaClient own = Connection.own(scenario)) {
        return new Operations(own, this::pause).repeated(scenario);
      }
    } catch (Exception error) {
      return Map.of("crash", error.toString());
    }
  }

  private void pause(String name) {
    out.println(gson.toJson(Map.of("pause", name)));
    try {
      in.readLine();
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }
}
