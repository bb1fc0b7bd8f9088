package dev.interlingua.kotlin

import dev.interlingua.v1.BatchGenerateRequest
import dev.interlingua.v1.BatchGenerateResponse
import dev.interlingua.v1.GatewayServiceGrpcKt.GatewayServiceCoroutineImplBase
import dev.interlingua.v1.GenerateRequest
import dev.interlingua.v1.GenerateResponse
import dev.interlingua.v1.StreamGenerateResponse
import dev.interlingua.v1.candidate
import dev.interlingua.v1.generateResponse
import dev.interlingua.v1.part
import dev.interlingua.v1.streamCompleted
import dev.interlingua.v1.streamGenerateResponse
import dev.interlingua.v1.streamStart
import io.grpc.Context
import io.grpc.Grpc
import io.grpc.InsecureServerCredentials
import io.grpc.Metadata
import io.grpc.ServerCall
import io.grpc.ServerCallHandler
import io.grpc.ServerInterceptor
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.asFlow
import java.util.concurrent.TimeUnit

/** A gRPC server on the loopback that plays one behaviour and remembers how it was called. */
class FakeGateway :
    GatewayServiceCoroutineImplBase(),
    ServerInterceptor,
    AutoCloseable {
    var answers: suspend (GenerateRequest) -> GenerateResponse = { answer("Hello") }
    var streams: (GenerateRequest) -> Flow<StreamGenerateResponse> = { whole("He", "llo").asFlow() }
    var batches: (BatchGenerateRequest) -> Flow<BatchGenerateResponse> = { error("no batch") }

    /** The headers of the last call. */
    @Volatile var headers = Metadata()

    /** The time in seconds that the last call had left when it came; null for no limit. */
    @Volatile var limitS: Long? = null

    /** Completes when a caller who waits for [forever] has cancelled. */
    val cancelled = CompletableDeferred<Unit>()

    private val server =
        Grpc
            .newServerBuilderForPort(0, InsecureServerCredentials.create())
            .addService(this)
            .intercept(this)
            .build()
            .start()

    val address: String get() = "127.0.0.1:${server.port}"

    fun header(name: String): String? =
        headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER))

    /** Waits until the caller cancels. */
    suspend fun forever(): Nothing =
        try {
            awaitCancellation()
        } finally {
            cancelled.complete(Unit)
        }

    override fun <Q : Any, R : Any> interceptCall(
        call: ServerCall<Q, R>,
        headers: Metadata,
        next: ServerCallHandler<Q, R>,
    ): ServerCall.Listener<Q> {
        this.headers = headers
        limitS =
            Context.current().deadline?.let {
                (
                    it.timeRemaining(
                        TimeUnit.MILLISECONDS,
                    ) + 500
                ) / 1000
            }
        return next.startCall(call, headers)
    }

    override suspend fun generate(request: GenerateRequest): GenerateResponse = answers(request)

    override fun streamGenerate(request: GenerateRequest): Flow<StreamGenerateResponse> =
        streams(request)

    override fun batchGenerate(request: BatchGenerateRequest): Flow<BatchGenerateResponse> =
        batches(request)

    override fun close() {
        server.shutdownNow()
    }
}

/** A whole answer of one text. */
fun answer(text: String): GenerateResponse =
    generateResponse {
        candidates += candidate { parts += part { this.text = text } }
    }

/** The events of a whole answer. */
fun whole(vararg texts: String): List<StreamGenerateResponse> {
    val start = streamGenerateResponse { start = streamStart { operationId = "op" } }
    val middle = texts.map { streamGenerateResponse { textDelta = it } }
    val end = streamGenerateResponse { completed = streamCompleted {} }
    return (listOf(start) + middle + end).mapIndexed { number, event ->
        event.toBuilder().setSequence(number.toLong()).build()
    }
}
