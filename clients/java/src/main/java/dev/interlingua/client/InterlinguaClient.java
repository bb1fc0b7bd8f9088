package dev.interlingua.client;

import dev.interlingua.v1.BatchGenerateRequest;
import dev.interlingua.v1.BatchGenerateResponse;
import dev.interlingua.v1.CountTokensRequest;
import dev.interlingua.v1.CountTokensResponse;
import dev.interlingua.v1.EmbedRequest;
import dev.interlingua.v1.EmbedResponse;
import dev.interlingua.v1.GatewayServiceGrpc;
import dev.interlingua.v1.GenerateRequest;
import dev.interlingua.v1.GenerateResponse;
import dev.interlingua.v1.GetModelRequest;
import dev.interlingua.v1.HealthRequest;
import dev.interlingua.v1.HealthResponse;
import dev.interlingua.v1.ListModelsRequest;
import dev.interlingua.v1.ListModelsResponse;
import dev.interlingua.v1.Model;
import dev.interlingua.v1.ModelServiceGrpc;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * A connection to a gateway. One client serves any number of threads; close it at the end.
 *
 * <p>Every call takes a {@link RequestOptions} for its timeout, trace and metadata, and throws
 * {@link InterlinguaException}. Interrupting the thread that waits for a call cancels the call, and
 * so does the cancellation or the deadline of the {@link Context} in which it was begun.
 */
public final class InterlinguaClient implements AutoCloseable {
  private final ManagedChannel connection;
  private final Channel channel;

  InterlinguaClient(ManagedChannel connection, Channel channel) {
    this.connection = connection;
    this.channel = channel;
  }

  /**
   * A client without TLS and credentials.
   *
   * @param address {@code host:port}, {@code unix:/path} or another gRPC target
   */
  public static InterlinguaClient connect(String address) {
    return builder().address(address).build();
  }

  /** A client of the gateway that the environment names; see {@link ClientBuilder#address}. */
  public static InterlinguaClient connect() {
    return builder().build();
  }

  /** Says where the gateway is and how to speak with it. */
  public static ClientBuilder builder() {
    return new ClientBuilder();
  }

  /** Answers a text with the gateway's default model. */
  public GenerateResult generate(String prompt) {
    return generate(Requests.prompt(prompt));
  }

  /** Answers a conversation, when the model has finished. */
  public GenerateResult generate(GenerateRequest request) {
    return generate(request, RequestOptions.none());
  }

  /** Answers a conversation, when the model has finished. */
  public GenerateResult generate(GenerateRequest request, RequestOptions options) {
    return new GenerateResult(call(GatewayServiceGrpc.getGenerateMethod(), request, options));
  }

  /** Like {@link #generate(GenerateRequest, RequestOptions)}; cancelling it cancels the call. */
  public CompletableFuture<GenerateResult> generateAsync(
      GenerateRequest request, RequestOptions options) {
    MethodDescriptor<GenerateRequest, GenerateResponse> method =
        GatewayServiceGrpc.getGenerateMethod();
    return callAsync(method, request, options, GenerateResult::new);
  }

  /** Streams the answer to a text by the gateway's default model. */
  public AnswerStream stream(String prompt) {
    return stream(Requests.prompt(prompt));
  }

  /** Streams an answer as it is generated. Use it in {@code try (...)}. */
  public AnswerStream stream(GenerateRequest request) {
    return stream(request, RequestOptions.none());
  }

  /** Streams an answer as it is generated. Use it in {@code try (...)}. */
  public AnswerStream stream(GenerateRequest request, RequestOptions options) {
    return AnswerStream.open(channel, request, options);
  }

  /** One vector for each text, in their order. */
  public EmbedResult embed(String model, List<String> texts) {
    return embed(Requests.embedding(model, texts));
  }

  /** One vector for each input, in their order. */
  public EmbedResult embed(EmbedRequest request) {
    return embed(request, RequestOptions.none());
  }

  /** One vector for each input, in their order. */
  public EmbedResult embed(EmbedRequest request, RequestOptions options) {
    return new EmbedResult(call(GatewayServiceGrpc.getEmbedMethod(), request, options));
  }

  /** Like {@link #embed(EmbedRequest, RequestOptions)}; cancelling it cancels the call. */
  public CompletableFuture<EmbedResult> embedAsync(EmbedRequest request, RequestOptions options) {
    MethodDescriptor<EmbedRequest, EmbedResponse> method = GatewayServiceGrpc.getEmbedMethod();
    return callAsync(method, request, options, EmbedResult::new);
  }

  /** Answers several requests; see {@link #batch(BatchGenerateRequest, RequestOptions)}. */
  public List<BatchResult> batch(List<GenerateRequest> requests) {
    BatchGenerateRequest batch = BatchGenerateRequest.newBuilder().addAllRequests(requests).build();
    return batch(batch, RequestOptions.none());
  }

  /**
   * Answers several requests, in their order; what failed holds its error.
   *
   * @throws InterlinguaException if the batch failed before its first result
   */
  public List<BatchResult> batch(BatchGenerateRequest request, RequestOptions options) {
    List<BatchGenerateResponse> arrived = new ArrayList<>();
    InterlinguaException failure = null;
    Iterator<BatchGenerateResponse> results =
        ClientCalls.blockingServerStreamingCall(
            channel, GatewayServiceGrpc.getBatchGenerateMethod(), options.toCallOptions(), request);
    try {
      results.forEachRemaining(arrived::add);
    } catch (StatusRuntimeException error) {
      failure = InterlinguaException.of(error);
    }
    return BatchResult.inOrder(request.getRequestsCount(), arrived, failure);
  }

  /** Counts the input tokens that {@code generate} would have. */
  public CountTokensResponse countTokens(GenerateRequest request) {
    return countTokens(request, RequestOptions.none());
  }

  /** Counts the input tokens that {@code generate} would have. */
  public CountTokensResponse countTokens(GenerateRequest request, RequestOptions options) {
    CountTokensRequest count = CountTokensRequest.newBuilder().setRequest(request).build();
    return call(GatewayServiceGrpc.getCountTokensMethod(), count, options);
  }

  /** Every model that you may name, by name. */
  public List<Model> models() {
    return models(RequestOptions.none());
  }

  /** Every model that you may name, by name; the timeout holds for each page of them. */
  public List<Model> models(RequestOptions options) {
    List<Model> found = new ArrayList<>();
    ListModelsRequest request = ListModelsRequest.getDefaultInstance();
    while (true) {
      ListModelsResponse page = call(ModelServiceGrpc.getListModelsMethod(), request, options);
      found.addAll(page.getModelsList());
      if (page.getNextPageToken().isEmpty()) {
        return found;
      }
      request = request.toBuilder().setPageToken(page.getNextPageToken()).build();
    }
  }

  /** One model; NOT_FOUND if there is none of that name. */
  public Model model(String name) {
    GetModelRequest request = GetModelRequest.newBuilder().setName(name).build();
    return call(ModelServiceGrpc.getGetModelMethod(), request, RequestOptions.none()).getModel();
  }

  /** How the gateway and all its providers are. */
  public HealthResponse health() {
    return health(HealthRequest.getDefaultInstance(), RequestOptions.none());
  }

  /** How the gateway and the providers that the request names are. */
  public HealthResponse health(HealthRequest request, RequestOptions options) {
    return call(GatewayServiceGrpc.getHealthMethod(), request, options);
  }

  /**
   * The connection for stubs of your own, with this client's credentials, trace and time limits.
   */
  public Channel channel() {
    return channel;
  }

  /** Ends the connection and cancels what still runs on it. */
  @Override
  public void close() {
    connection.shutdownNow();
  }

  private <Q, R> R call(MethodDescriptor<Q, R> method, Q request, RequestOptions options) {
    try {
      return ClientCalls.blockingUnaryCall(channel, method, options.toCallOptions(), request);
    } catch (StatusRuntimeException error) {
      throw InterlinguaException.of(error);
    }
  }

  private <Q, R, T> CompletableFuture<T> callAsync(
      MethodDescriptor<Q, R> method, Q request, RequestOptions options, Function<R, T> result) {
    ClientCall<Q, R> call = channel.newCall(method, options.toCallOptions());
    FutureResult<R, T> future = new FutureResult<>(call, result);
    ClientCalls.asyncUnaryCall(call, request, future.observer());
    return future;
  }
}
