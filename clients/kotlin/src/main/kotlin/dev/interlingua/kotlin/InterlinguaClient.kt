package dev.interlingua.kotlin

import dev.interlingua.client.AnswerAssembler
import dev.interlingua.client.BatchResult
import dev.interlingua.client.EmbedResult
import dev.interlingua.client.GenerateResult
import dev.interlingua.client.InterlinguaException
import dev.interlingua.client.RequestOptions
import dev.interlingua.client.Requests
import dev.interlingua.client.Tls
import dev.interlingua.v1.BatchGenerateRequest
import dev.interlingua.v1.BatchGenerateResponse
import dev.interlingua.v1.CountTokensResponse
import dev.interlingua.v1.EmbedRequest
import dev.interlingua.v1.GatewayServiceGrpcKt.GatewayServiceCoroutineStub
import dev.interlingua.v1.GenerateRequest
import dev.interlingua.v1.GenerateRequestKt
import dev.interlingua.v1.HealthRequest
import dev.interlingua.v1.HealthResponse
import dev.interlingua.v1.Model
import dev.interlingua.v1.ModelServiceGrpcKt.ModelServiceCoroutineStub
import dev.interlingua.v1.StreamGenerateResponse
import dev.interlingua.v1.batchGenerateRequest
import dev.interlingua.v1.countTokensRequest
import dev.interlingua.v1.generateRequest
import dev.interlingua.v1.getModelRequest
import dev.interlingua.v1.listModelsRequest
import io.grpc.Channel
import io.grpc.StatusException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.emitAll
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.onCompletion
import kotlinx.coroutines.flow.onEach
import kotlin.time.Duration
import kotlin.time.toJavaDuration
import dev.interlingua.client.InterlinguaClient as JavaClient

/**
 * A connection to a gateway, for coroutines. One client serves any number of them; close it at the
 * end.
 *
 * Calls throw [InterlinguaException]. Cancelling a coroutine, or leaving a flow, cancels its call,
 * and the gateway then ends it at the provider.
 *
 * @param address `host:port`, `unix:/path` (on Linux) or another gRPC target; without it the
 *   environment's `INTERLINGUA_ADDRESS` counts, then `127.0.0.1:50051`
 * @param tls speaks TLS, with a client certificate if it has one; without it, plain text
 * @param apiKey is sent as `authorization: Bearer ...`
 * @param tokenSource is asked for a bearer token at every call instead; it may block
 * @param traceparent is asked at every call for the W3C trace context to be continued
 * @param timeout bounds each call that does not name its own; otherwise a call may take 10 minutes,
 *   a batch an hour, anything else less
 */
public class InterlinguaClient(
    address: String? = null,
    tls: Tls? = null,
    apiKey: String? = null,
    tokenSource: (() -> String)? = null,
    traceparent: (() -> String?)? = null,
    timeout: Duration? = null,
) : AutoCloseable {
    private val java: JavaClient =
        JavaClient
            .builder()
            .apply {
                require(apiKey == null || tokenSource == null) {
                    "apiKey and tokenSource exclude each other"
                }
                address?.let { address(it) }
                tls?.let { tls(it) }
                apiKey?.let { apiKey(it) }
                tokenSource?.let { tokenSource(it) }
                traceparent?.let { traceparent(it) }
                timeout?.let { timeout(it.toJavaDuration()) }
            }.build()

    /** The connection for stubs of your own, with this client's credentials, trace and limits. */
    public val channel: Channel = java.channel()

    /** Answers a text with the gateway's default model. */
    public suspend fun generate(prompt: String): GenerateResult = generate { user(prompt) }

    /** Answers the request that [request] describes, when the model has finished. */
    public suspend fun generate(
        options: RequestOptions = RequestOptions.none(),
        request: GenerateRequestKt.Dsl.() -> Unit,
    ): GenerateResult = generate(generateRequest(request), options)

    /** Answers a conversation, when the model has finished. */
    public suspend fun generate(
        request: GenerateRequest,
        options: RequestOptions = RequestOptions.none(),
    ): GenerateResult = GenerateResult(call { gateway(options).generate(request) })

    /** Streams the answer to a text by the gateway's default model. */
    public fun stream(prompt: String): Flow<StreamGenerateResponse> = stream { user(prompt) }

    /** Streams the answer to the request that [request] describes. */
    public fun stream(
        options: RequestOptions = RequestOptions.none(),
        request: GenerateRequestKt.Dsl.() -> Unit,
    ): Flow<StreamGenerateResponse> = stream(generateRequest(request), options)

    /**
     * Streams an answer as it is generated: the contract's events. See [textDeltas] and [answer].
     *
     * Each collection is a call of its own. It ends quietly only after the whole answer; otherwise
     * it throws what went wrong.
     */
    public fun stream(
        request: GenerateRequest,
        options: RequestOptions = RequestOptions.none(),
    ): Flow<StreamGenerateResponse> =
        flow {
            val assembler = AnswerAssembler()
            val events =
                gateway(options)
                    .streamGenerate(request)
                    .onEach { assembler.add(it) }
                    .onCompletion { failure -> if (failure == null) assembler.end() }
                    .catch { failure -> throw assembler.fail(translated(failure)) }
            emitAll(events)
        }

    /** One vector for each text, in their order. */
    public suspend fun embed(
        model: String,
        texts: List<String>,
        options: RequestOptions = RequestOptions.none(),
    ): EmbedResult = embed(Requests.embedding(model, texts), options)

    /** One vector for each input, in their order. */
    public suspend fun embed(
        request: EmbedRequest,
        options: RequestOptions = RequestOptions.none(),
    ): EmbedResult = EmbedResult(call { gateway(options).embed(request) })

    /** Answers several requests, in their order; see the other `batch`. */
    public suspend fun batch(requests: List<GenerateRequest>): List<BatchResult> =
        batch(batchGenerateRequest { this.requests += requests })

    /**
     * Answers several requests, in their order; what failed holds its error.
     *
     * Throws only if the batch failed before its first result.
     */
    public suspend fun batch(
        request: BatchGenerateRequest,
        options: RequestOptions = RequestOptions.none(),
    ): List<BatchResult> {
        val arrived = mutableListOf<BatchGenerateResponse>()
        var failure: InterlinguaException? = null
        try {
            gateway(options).batchGenerate(request).collect { arrived += it }
        } catch (error: StatusException) {
            failure = InterlinguaException.of(error)
        }
        return BatchResult.inOrder(request.requestsCount, arrived, failure)
    }

    /** Counts the input tokens that `generate` would have. */
    public suspend fun countTokens(
        request: GenerateRequest,
        options: RequestOptions = RequestOptions.none(),
    ): CountTokensResponse {
        val count = countTokensRequest { this.request = request }
        return call { gateway(options).countTokens(count) }
    }

    /** Every model that you may name, by name, asked for page by page. */
    public fun models(options: RequestOptions = RequestOptions.none()): Flow<Model> =
        flow {
            var token = ""
            do {
                val request = listModelsRequest { pageToken = token }
                val page = call { catalogue(options).listModels(request) }
                page.modelsList.forEach { emit(it) }
                token = page.nextPageToken
            } while (token.isNotEmpty())
        }

    /** One model; NOT_FOUND if there is none of that name. */
    public suspend fun model(
        name: String,
        options: RequestOptions = RequestOptions.none(),
    ): Model {
        val request = getModelRequest { this.name = name }
        return call { catalogue(options).getModel(request) }.model
    }

    /** How the gateway and the providers that the request names are; all by default. */
    public suspend fun health(
        request: HealthRequest = HealthRequest.getDefaultInstance(),
        options: RequestOptions = RequestOptions.none(),
    ): HealthResponse = call { gateway(options).health(request) }

    /** Ends the connection and cancels what still runs on it. */
    override fun close(): Unit = java.close()

    private fun gateway(options: RequestOptions) =
        GatewayServiceCoroutineStub(channel, options.toCallOptions())

    private fun catalogue(options: RequestOptions) =
        ModelServiceCoroutineStub(channel, options.toCallOptions())

    private suspend inline fun <T> call(made: suspend () -> T): T =
        try {
            made()
        } catch (error: StatusException) {
            throw InterlinguaException.of(error)
        }

    private fun translated(failure: Throwable): InterlinguaException =
        when (failure) {
            is StatusException, is InterlinguaException -> InterlinguaException.of(failure)
            else -> throw failure
        }
}
