package dev.interlingua.conformance

import io.grpc.CallOptions
import io.grpc.Channel
import io.grpc.Status
import io.grpc.StatusException
import io.grpc.health.v1.HealthCheckRequest
import io.grpc.health.v1.HealthCheckResponse
import io.grpc.health.v1.HealthGrpc
import io.grpc.kotlin.ClientCalls
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.retry

/** Watches grpc.health.v1 while the gateway goes away and comes back. */
class HealthWatch(
    private val channel: Channel,
    private val pause: (String) -> Unit,
) {
    private val statuses: Flow<String>
        get() =
            ClientCalls
                .serverStreamingRpc(
                    channel,
                    HealthGrpc.getWatchMethod(),
                    HealthCheckRequest.getDefaultInstance(),
                    CallOptions.DEFAULT,
                ).map(HealthCheckResponse::getStatus)
                .map { it.name }

    suspend fun run(): Seen {
        val seen = mutableListOf<String>()
        statuses.catch { if (it !is StatusException) throw it }.collect {
            seen += it
            if (seen.size == 1) pause("watching")
        }
        val again =
            statuses
                .retry(TRIES) { error ->
                    val away = Status.fromThrowable(error).code == Status.Code.UNAVAILABLE
                    if (away) delay(PAUSE_MS)
                    away
                }.first()
        return mapOf("statuses" to seen, "again" to again)
    }

    private companion object {
        const val TRIES = 50L
        const val PAUSE_MS = 200L
    }
}
