package dev.interlingua.client;

import dev.interlingua.v1.EmbedInput;
import dev.interlingua.v1.EmbedRequest;
import dev.interlingua.v1.EmbeddingEncoding;
import dev.interlingua.v1.GenerateRequest;
import java.util.List;

/** Makes the plainest requests; the contract's builders make all others. */
public final class Requests {
  private Requests() {}

  /** Asks the gateway's default model one thing. */
  public static GenerateRequest prompt(String text) {
    return GenerateRequest.newBuilder().addMessages(Messages.user(text)).build();
  }

  /** Asks for the vectors of texts, as bytes, which no side has to take apart. */
  public static EmbedRequest embedding(String model, List<String> texts) {
    EmbedRequest.Builder request =
        EmbedRequest.newBuilder()
            .setModel(model)
            .setEncoding(EmbeddingEncoding.EMBEDDING_ENCODING_FLOAT32_LE);
    texts.forEach(text -> request.addInputs(EmbedInput.newBuilder().setText(text)));
    return request.build();
  }
}
