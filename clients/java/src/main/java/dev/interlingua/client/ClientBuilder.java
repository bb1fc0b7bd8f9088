package dev.interlingua.client;

import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Says where a gateway is and how to speak with it. */
public final class ClientBuilder {
  /** The variable of the environment that names the gateway where the builder does not. */
  public static final String ADDRESS_VARIABLE = "INTERLINGUA_ADDRESS";

  /** Where the gateway is if nothing else says so. */
  public static final String DEFAULT_ADDRESS = "127.0.0.1:50051";

  private static final int MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
  private static final int MAX_METADATA_BYTES = 64 * 1024;

  private String address;
  private Tls tls;
  private Supplier<String> token;
  private Supplier<String> traceparent;
  private Duration timeout;

  ClientBuilder() {}

  /**
   * {@code host:port}, {@code unix:/path/to/socket} or another gRPC target such as {@code
   * dns:///gateway.svc:50051}; calls go to all addresses of a name in turn. Without it the
   * environment's {@code INTERLINGUA_ADDRESS} counts, then {@code 127.0.0.1:50051}.
   */
  public ClientBuilder address(String address) {
    this.address = address;
    return this;
  }

  /** Speaks TLS, with a client certificate if {@code tls} has one. Without it, plain text. */
  public ClientBuilder tls(Tls tls) {
    this.tls = tls;
    return this;
  }

  /**
   * A key that is sent as {@code authorization: Bearer ...}. Without TLS anybody on the way can
   * read it.
   *
   * @throws IllegalArgumentException if it cannot stand in a header; the message does not hold it
   */
  public ClientBuilder apiKey(String apiKey) {
    BearerToken.check(apiKey);
    return tokenSource(() -> apiKey);
  }

  /**
   * Is asked for a bearer token at every call and every repetition of one, off the calling thread;
   * it may block, and should keep a token for as long as it is good.
   */
  public ClientBuilder tokenSource(Supplier<String> token) {
    this.token = token;
    return this;
  }

  /**
   * Is asked at every call, on the calling thread, for the W3C trace context that the call
   * continues; null means none. {@link RequestOptions#traceparent} wins over it.
   */
  public ClientBuilder traceparent(Supplier<String> traceparent) {
    this.traceparent = traceparent;
    return this;
  }

  /**
   * Bounds each call that does not name its own time; otherwise a call may take 10 minutes, a batch
   * an hour, anything else less.
   *
   * @throws IllegalArgumentException if it is not positive
   */
  public ClientBuilder timeout(Duration timeout) {
    this.timeout = TimeLimits.positive(timeout);
    return this;
  }

  /**
   * Makes the client. It connects at its first call.
   *
   * @throws java.io.UncheckedIOException if a certificate or key cannot be read
   * @throws IllegalArgumentException if a key has another form than {@link Tls} takes
   */
  public InterlinguaClient build() {
    ChannelCredentials security = tls == null ? InsecureChannelCredentials.create() : tls.toGrpc();
    ManagedChannelBuilder<?> channel =
        Grpc.newChannelBuilder(target(), security)
            .defaultServiceConfig(ServiceConfig.read())
            .disableServiceConfigLookUp()
            .enableRetry()
            .perRpcBufferLimit(MAX_MESSAGE_BYTES)
            .retryBufferSize(2L * MAX_MESSAGE_BYTES)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            .maxInboundMetadataSize(MAX_METADATA_BYTES)
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS)
            .keepAliveWithoutCalls(true)
            .userAgent("interlingua-java");
    if (tls != null && tls.serverName() != null) {
      channel.overrideAuthority(tls.serverName());
    }
    BearerToken bearer = token == null ? null : new BearerToken(token);
    ManagedChannel connection = channel.build();
    CallDefaults defaults = new CallDefaults(new TimeLimits(timeout), bearer, traceparent);
    QuickReconnect reconnect = new QuickReconnect(connection, System::nanoTime);
    return new InterlinguaClient(
        connection, ClientInterceptors.intercept(connection, defaults, reconnect));
  }

  private String target() {
    if (address != null && !address.isEmpty()) {
      return address;
    }
    String named = System.getenv(ADDRESS_VARIABLE);
    return named == null || named.isEmpty() ? DEFAULT_ADDRESS : named;
  }
}
