package dev.interlingua.client;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;

/**
 * How to trust the gateway and, for mutual TLS, how to be trusted. All files are PEM. Immutable:
 * each method returns changed settings.
 */
public final class Tls {
  private final File roots;
  private final File chain;
  private final File key;
  private final String serverName;

  private Tls(File roots, File chain, File key, String serverName) {
    this.roots = roots;
    this.chain = chain;
    this.key = key;
    this.serverName = serverName;
  }

  /** Trusts what the Java runtime trusts. */
  public static Tls usual() {
    return new Tls(null, null, null, null);
  }

  /** Trusts these authorities instead of the runtime's. */
  public Tls trusting(File rootCertificates) {
    return new Tls(rootCertificates, chain, key, serverName);
  }

  /** Shows this certificate to the gateway: mutual TLS. The key is PKCS #8, without a password. */
  public Tls identity(File certificateChain, File privateKey) {
    return new Tls(roots, certificateChain, privateKey, serverName);
  }

  /** The name to find in the gateway's certificate, if it is not the address's host. */
  public Tls serverName(String serverName) {
    return new Tls(roots, chain, key, serverName);
  }

  String serverName() {
    return serverName;
  }

  /**
   * The same for gRPC.
   *
   * @throws UncheckedIOException if a file cannot be read
   * @throws IllegalArgumentException if the key has another form
   */
  ChannelCredentials toGrpc() {
    TlsChannelCredentials.Builder credentials = TlsChannelCredentials.newBuilder();
    try {
      if (roots != null) {
        credentials.trustManager(roots);
      }
      if (chain != null) {
        checkForm(key);
        credentials.keyManager(chain, key);
      }
    } catch (IOException error) {
      throw new UncheckedIOException("cannot read a certificate or key", error);
    }
    return credentials.build();
  }

  private static void checkForm(File key) throws IOException {
    if (!Files.readString(key.toPath()).contains("-----BEGIN PRIVATE KEY-----")) {
      throw new IllegalArgumentException(
          "%s is not a PKCS #8 key in PEM; `openssl pkcs8 -topk8 -nocrypt -in KEY` makes one"
              .formatted(key));
    }
  }
}
