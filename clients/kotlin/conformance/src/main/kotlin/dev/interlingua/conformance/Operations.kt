package dev.interlingua.conformance

import dev.interlingua.client.Parts
import dev.interlingua.kotlin.InterlinguaClient
import dev.interlingua.kotlin.assistant
import dev.interlingua.kotlin.jsonSchema
import dev.interlingua.kotlin.sampling
import dev.interlingua.kotlin.system
import dev.interlingua.kotlin.tool
import dev.interlingua.kotlin.toolResult
import dev.interlingua.kotlin.user
import dev.interlingua.v1.BatchGenerateRequest
import dev.interlingua.v1.CountTokensRequest
import dev.interlingua.v1.EmbedRequest
import dev.interlingua.v1.GenerateRequest
import dev.interlingua.v1.HealthRequest
import dev.interlingua.v1.MediaDetail
import dev.interlingua.v1.generateRequest
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import java.net.URI

/** The operations of a plan, on one client. */
class Operations(
    private val client: InterlinguaClient,
    private val pause: (String) -> Unit,
) {
    suspend fun repeated(scenario: Scenario): Seen {
        val times = if (scenario.op == "drain") 1 else scenario.number("calls", 1)
        repeat(times - 1) { once(scenario) }
        return once(scenario)
    }

    private suspend fun once(scenario: Scenario): Seen {
        val message = scenario.message
        return when (scenario.op) {
            "stream" -> stream(scenario, GenerateRequest.parseFrom(message))
            "build" -> mapOf("request" to encoded(built()))
            "watch" -> HealthWatch(client.channel, pause).run()
            "restart" -> restart(GenerateRequest.parseFrom(message))
            "drain" -> drain(scenario, GenerateRequest.parseFrom(message))
            else -> cancellable(scenario) { observed { unary(scenario, message) } }
        }
    }

    private suspend fun unary(
        scenario: Scenario,
        message: ByteArray,
    ): Seen {
        val options = scenario.callOptions
        return when (scenario.op) {
            "generate" -> seen(client.generate(GenerateRequest.parseFrom(message), options))
            "embed" -> seen(client.embed(EmbedRequest.parseFrom(message), options))
            "batch" -> {
                val results = client.batch(BatchGenerateRequest.parseFrom(message), options)
                mapOf("results" to results.map { seen(it) })
            }
            "count_tokens" -> {
                val request = CountTokensRequest.parseFrom(message).request
                seen(client.countTokens(request, options))
            }
            "health" -> seen(client.health(HealthRequest.parseFrom(message), options))
            "list_models" -> mapOf("models" to client.models(options).map { it.name }.toList())
            else -> mapOf("crash" to "unknown op")
        }
    }

    private suspend fun stream(
        scenario: Scenario,
        request: GenerateRequest,
    ): Seen {
        val progress = Progress()
        val most = scenario.number("leave_after_events", Int.MAX_VALUE)
        val end =
            cancellable(scenario) {
                observed {
                    client.stream(request, scenario.callOptions).take(most).collect(progress::add)
                    if (progress.events.size == most) mapOf("cancelled" to true) else emptyMap()
                }
            }
        return progress.seen + end
    }

    private suspend fun restart(request: GenerateRequest): Seen {
        val before = observed { seen(client.generate(request)) }
        pause("restart")
        return mapOf("before" to before, "after" to observed { seen(client.generate(request)) })
    }

    private suspend fun drain(
        scenario: Scenario,
        request: GenerateRequest,
    ): Seen {
        val streams = streamsAcrossDrain(scenario, request)
        pause("drained")
        val calls =
            List(scenario.number("calls", 1)) {
                observed { seen(client.generate(request)) } - "response"
            }
        return mapOf("streams" to streams, "calls" to calls)
    }

    /** All streams run at once; the harness hears of it when each has its first event or failed. */
    private suspend fun streamsAcrossDrain(
        scenario: Scenario,
        request: GenerateRequest,
    ): List<Seen> =
        coroutineScope {
            val begun = List(scenario.number("streams", 1)) { CompletableDeferred<Unit>() }
            val streams =
                begun.map { first ->
                    async {
                        val progress = Progress()
                        val end =
                            observed {
                                client
                                    .stream(request, scenario.callOptions)
                                    .onEach { first.complete(Unit) }
                                    .collect(progress::add)
                                emptyMap()
                            }
                        first.complete(Unit)
                        progress.seen - "events" + end
                    }
                }
            begun.awaitAll()
            pause("streaming")
            streams.awaitAll()
        }

    /** Runs [call], and cancels its coroutine if the scenario says so. */
    private suspend fun cancellable(
        scenario: Scenario,
        call: suspend () -> Seen,
    ): Seen {
        val afterMs = scenario.option("cancel_after_ms")?.asLong ?: return call()
        return coroutineScope {
            val running = async { call() }
            val timer =
                launch {
                    delay(afterMs)
                    running.cancel()
                }
            try {
                running.await()
            } catch (cancelled: CancellationException) {
                mapOf("cancelled" to true)
            } finally {
                timer.cancel()
            }
        }
    }

    /** The request that the suite describes in words. */
    private fun built(): GenerateRequest {
        val call = Parts.toolCall("call_1", "lookup", """{"animal":"fox"}""")
        val png = byteArrayOf(0x89.toByte(), 0x50, 0x4e, 0x47)
        return generateRequest {
            model = "any"
            system("Be brief.")
            user(
                Parts.text("What is this? 🦊"),
                Parts.image(png, "image/png", MediaDetail.MEDIA_DETAIL_HIGH),
            )
            user(Parts.image(URI("https://example.org/fox.jpg")))
            assistant(call)
            toolResult(call.toolCall, "Vulpes vulpes")
            tool("lookup", "Looks up an animal.", objectSchema("animal"))
            jsonSchema("animal", objectSchema("name"))
            sampling {
                temperature = 0.5
                maxOutputTokens = 100
            }
        }
    }

    private fun objectSchema(property: String) =
        """{"type":"object","properties":{"$property":{"type":"string"}},"required":["$property"]}"""
}
