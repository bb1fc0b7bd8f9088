import dev.interlingua.client.AnswerStream;
import dev.interlingua.client.InterlinguaClient;

/** Streams an answer of the gateway's default model. */
public final class StreamTokens {
  private StreamTokens() {}

  /** Asks what the arguments say, of the gateway that INTERLINGUA_ADDRESS names. */
  public static void main(String[] arguments) {
    String prompt = arguments.length > 0 ? String.join(" ", arguments) : "Why is the sky blue?";
    try (InterlinguaClient client = InterlinguaClient.connect();
        AnswerStream answer = client.stream(prompt)) {
      for (String text : answer.textDeltas()) {
        System.out.print(text);
        System.out.flush();
      }
      System.out.println();
      System.out.println(answer.response().usage().getOutputTokens() + " tokens");
    }
  }
}
