package dev.interlingua.client;

import com.google.protobuf.ByteString;
import dev.interlingua.v1.Media;
import dev.interlingua.v1.MediaDetail;
import dev.interlingua.v1.Part;
import dev.interlingua.v1.ToolCall;
import java.net.URI;

/** Makes the parts of messages. Media is bytes with a MIME type, or a URI for the provider. */
public final class Parts {
  private Parts() {}

  /** Plain text. */
  public static Part text(String text) {
    return Part.newBuilder().setText(text).build();
  }

  /** A picture. */
  public static Part image(byte[] data, String mimeType) {
    return image(data, mimeType, MediaDetail.MEDIA_DETAIL_UNSPECIFIED);
  }

  /** A picture, and how closely it should be looked at. */
  public static Part image(byte[] data, String mimeType, MediaDetail detail) {
    return Part.newBuilder().setImage(media(data, mimeType).setDetail(detail)).build();
  }

  /** A picture that the provider fetches. */
  public static Part image(URI uri) {
    return Part.newBuilder().setImage(media(uri)).build();
  }

  /** Sound. */
  public static Part audio(byte[] data, String mimeType) {
    return Part.newBuilder().setAudio(media(data, mimeType)).build();
  }

  /** Moving pictures. */
  public static Part video(byte[] data, String mimeType) {
    return Part.newBuilder().setVideo(media(data, mimeType)).build();
  }

  /** Moving pictures that the provider fetches. */
  public static Part video(URI uri) {
    return Part.newBuilder().setVideo(media(uri)).build();
  }

  /** A document; the model is told its name. */
  public static Part file(byte[] data, String mimeType, String name) {
    return Part.newBuilder().setFile(media(data, mimeType).setName(name)).build();
  }

  /** A document that the provider fetches. */
  public static Part file(URI uri) {
    return Part.newBuilder().setFile(media(uri)).build();
  }

  /** A call of a tool by the model, to tell of one that was not in an answer. */
  public static Part toolCall(String id, String name, String argumentsJson) {
    ToolCall.Builder call =
        ToolCall.newBuilder().setId(id).setName(name).setArgumentsJson(argumentsJson);
    return Part.newBuilder().setToolCall(call).build();
  }

  private static Media.Builder media(byte[] data, String mimeType) {
    if (mimeType.isEmpty()) {
      throw new IllegalArgumentException("media given as bytes needs its MIME type");
    }
    return Media.newBuilder().setData(ByteString.copyFrom(data)).setMimeType(mimeType);
  }

  private static Media.Builder media(URI uri) {
    return Media.newBuilder().setUri(uri.toString());
  }
}
