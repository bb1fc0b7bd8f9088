package dev.interlingua.client;

import dev.interlingua.v1.EmbedResponse;
import dev.interlingua.v1.Embedding;
import dev.interlingua.v1.Usage;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.OptionalLong;

/**
 * Vectors, one for each input, in the order of the inputs.
 *
 * @param raw the contract's response
 */
public record EmbedResult(EmbedResponse raw) {
  /** The vectors, in whichever encoding they came; made anew at each use. */
  public List<float[]> vectors() {
    return raw.getEmbeddingsList().stream().map(EmbedResult::vector).toList();
  }

  /** Tokens of the whole call. */
  public Usage usage() {
    return raw.getUsage();
  }

  /** What the call cost in 1e-9 USD; empty if the price of the model is unknown. */
  public OptionalLong costNanoUsd() {
    return raw.hasCost() ? OptionalLong.of(raw.getCost().getCostNanoUsd()) : OptionalLong.empty();
  }

  private static float[] vector(Embedding embedding) {
    if (embedding.getValuesCount() > 0) {
      float[] values = new float[embedding.getValuesCount()];
      for (int i = 0; i < values.length; i++) {
        values[i] = embedding.getValues(i);
      }
      return values;
    }
    FloatBuffer packed =
        embedding
            .getFloat32Le()
            .asReadOnlyByteBuffer()
            .order(ByteOrder.LITTLE_ENDIAN)
            .asFloatBuffer();
    float[] values = new float[packed.remaining()];
    packed.get(values);
    return values;
  }
}
