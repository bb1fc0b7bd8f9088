package dev.interlingua.conformance

import com.google.protobuf.MessageLite
import dev.interlingua.client.BatchResult
import dev.interlingua.client.EmbedResult
import dev.interlingua.client.GenerateResult
import dev.interlingua.client.InterlinguaException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.jvm.optionals.getOrNull

/** What a runner saw, to be told as JSON. */
typealias Seen = Map<String, Any?>

/** What [call] brings, or its error. */
suspend fun observed(call: suspend () -> Seen): Seen =
    try {
        call()
    } catch (error: InterlinguaException) {
        seen(error)
    }

fun encoded(message: MessageLite): String = encoded(message.toByteArray())

fun seen(message: MessageLite): Seen = mapOf("response" to encoded(message))

fun seen(result: GenerateResult): Seen = seen(result.raw()) + ("text" to result.text())

/** Vectors go as little-endian float32. */
fun seen(result: EmbedResult): Seen =
    seen(result.raw()) + ("vectors" to result.vectors().map { encoded(packed(it)) })

fun seen(result: BatchResult): Seen =
    result.error().getOrNull()?.let(::seen) ?: seen(result.get().raw())

fun seen(error: InterlinguaException): Seen =
    mapOf(
        "error" to
            mapOf(
                "code" to error.code().name,
                "reason" to error.reason(),
                "message" to error.description(),
                "retry_after_ms" to error.retryDelay().getOrNull()?.toMillis(),
                "violations" to
                    error.violations().map {
                        mapOf("subject" to it.subject, "description" to it.description)
                    },
                "resource" to
                    error.resource().getOrNull()?.let {
                        mapOf(
                            "type" to it.type,
                            "name" to it.name,
                        )
                    },
                "metadata" to error.metadata(),
            ),
    )

private fun encoded(bytes: ByteArray): String = Base64.getEncoder().encodeToString(bytes)

private fun packed(numbers: FloatArray): ByteArray {
    val buffer = ByteBuffer.allocate(4 * numbers.size).order(ByteOrder.LITTLE_ENDIAN)
    buffer.asFloatBuffer().put(numbers)
    return buffer.array()
}
