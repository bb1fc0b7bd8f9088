package dev.interlingua.kotlin

import dev.interlingua.client.InterlinguaException
import dev.interlingua.client.Messages
import dev.interlingua.client.Parts
import dev.interlingua.client.StreamBrokenException
import dev.interlingua.v1.Role
import dev.interlingua.v1.batchGenerateResponse
import dev.interlingua.v1.generateRequest
import io.grpc.Status
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import kotlin.time.Duration.Companion.seconds

class InterlinguaClientTest {
    private val gateway = FakeGateway()
    private val client = InterlinguaClient(gateway.address)

    @AfterEach
    fun stop() {
        client.close()
        gateway.close()
    }

    private fun test(block: suspend CoroutineScope.() -> Unit) =
        runBlocking { withTimeout(20.seconds) { block() } }

    private suspend fun failure(block: suspend () -> Unit): InterlinguaException =
        try {
            block()
            throw AssertionError("nothing failed")
        } catch (error: InterlinguaException) {
            error
        }

    @Test
    fun `a request is described and answered`() =
        test {
            gateway.answers = { request ->
                assertEquals("gpt", request.model)
                assertEquals(
                    listOf(Role.ROLE_SYSTEM, Role.ROLE_USER),
                    request.messagesList.map { it.role },
                )
                assertEquals(0.2, request.sampling.temperature)
                assertEquals("lookup", request.getTools(0).name)
                assertEquals("animal", request.responseFormat.jsonSchema.name)
                answer("""{"name": "fox"}""")
            }
            val result =
                client.generate {
                    model = "gpt"
                    system("Be brief.")
                    user(Parts.text("What is this?"), Parts.image(byteArrayOf(1), "image/png"))
                    tool("lookup", "Looks up an animal.", """{"type":"object"}""")
                    jsonSchema("animal", "{}")
                    sampling { temperature = 0.2 }
                }
            assertEquals(Animal("fox"), result.json<Animal>())
        }

    @Test
    fun `the arguments of a call are a value and its result goes back`() {
        val call = Parts.toolCall("call_1", "lookup", """{"name": "fox"}""").toolCall
        assertEquals(Animal("fox"), call.arguments<Animal>())
        val request =
            generateRequest {
                assistant(Parts.toolCall("call_1", "lookup", "{}"))
                toolResult(call, "Vulpes vulpes")
                toolFailure(call, "no fox")
            }
        val (_, result, failed) = request.messagesList.map { it.getParts(0) }
        assertEquals("call_1", result.toolResult.toolCallId)
        assertTrue(failed.toolResult.isError)
    }

    @Test
    fun `a call brings its time, trace and metadata`() =
        test {
            client.generate("Hi")
            assertEquals(600, gateway.limitS)
            val options = requestOptions(7.seconds, "00-call", mapOf("x-team" to "blue"))
            client.generate(options) { user("Hi") }
            assertEquals(7, gateway.limitS)
            assertEquals("00-call", gateway.header("traceparent"))
            assertEquals("blue", gateway.header("x-team"))
        }

    @Test
    fun `a client brings its credentials, trace and time`() =
        test {
            var asked = 0
            InterlinguaClient(
                gateway.address,
                tokenSource = { "token-${++asked}" },
                traceparent = { "00-client" },
                timeout = 3600.seconds,
            ).use { known ->
                known.generate("Hi")
                known.stream("Hi").collect()
                assertEquals("Bearer token-2", gateway.header("authorization"))
                assertEquals("00-client", gateway.header("traceparent"))
                assertEquals(3600, gateway.limitS)
            }
            assertThrows(IllegalArgumentException::class.java) {
                InterlinguaClient(apiKey = "a", tokenSource = { "b" })
            }
        }

    @Test
    fun `text comes as it is generated`() =
        test {
            assertEquals(listOf("He", "llo"), client.stream("Hi").textDeltas().toList())
            val heard = StringBuilder()
            val answer = client.stream("Hi").onEach { heard.append(it.textDelta) }.answer()
            assertEquals("Hello", answer.text())
            assertEquals("Hello", heard.toString())
            assertEquals("op", answer.operationId())
        }

    @Test
    fun `each collection is a call of its own`() =
        test {
            val stream = client.stream("Hi")
            assertEquals("Hello", stream.answer().text())
            assertEquals("Hello", stream.answer().text())
        }

    @Test
    fun `leaving a flow cancels its call`() =
        test {
            gateway.streams = {
                flow {
                    whole("He").take(2).forEach { emit(it) }
                    gateway.forever()
                }
            }
            assertEquals("He", client.stream("Hi").textDeltas().first())
            gateway.cancelled.await()
        }

    @Test
    fun `cancelling a coroutine cancels its call`() =
        test {
            val begun = CompletableDeferred<Unit>()
            gateway.answers = {
                begun.complete(Unit)
                gateway.forever()
            }
            val job = launch { client.generate("Hi") }
            begun.await()
            job.cancelAndJoin()
            gateway.cancelled.await()
        }

    @Test
    fun `a failure of the reader passes as it is`() =
        test {
            val mine = IllegalStateException("mine")
            val seen = runCatching { client.stream("Hi").collect { throw mine } }
            assertEquals("mine", seen.exceptionOrNull()?.message)
            assertInstanceOf(IllegalStateException::class.java, seen.exceptionOrNull())
        }

    @Test
    fun `errors are told as in Java`() =
        test {
            val status = Status.NOT_FOUND.withDescription("no such model")
            gateway.answers = { throw status.asException() }
            gateway.streams = { flow { throw status.asException() } }
            for (error in listOf(
                failure { client.generate("Hi") },
                failure { client.stream("Hi").collect() },
            )) {
                assertEquals(Status.Code.NOT_FOUND, error.code())
                assertEquals("no such model", error.description())
            }
        }

    @Test
    fun `a stream that is cut is no success`() =
        test {
            gateway.streams = {
                flow {
                    whole("He").take(2).forEach { emit(it) }
                    throw Status.UNAVAILABLE.asException()
                }
            }
            val lost = failure { client.stream("Hi").collect() }
            assertInstanceOf(StreamBrokenException::class.java, lost)
            assertEquals(Status.Code.UNAVAILABLE, lost.code())
            gateway.streams = { whole("He").dropLast(1).asFlow() }
            assertEquals(Status.Code.DATA_LOSS, failure { client.stream("Hi").collect() }.code())
            gateway.streams = { whole("He", "llo").filter { it.sequence != 1L }.asFlow() }
            assertEquals(Status.Code.DATA_LOSS, failure { client.stream("Hi").collect() }.code())
        }

    @Test
    fun `an unfinished stream has no answer`() =
        test {
            val begun = client.stream("Hi").take(2)
            assertEquals(Status.Code.DATA_LOSS, failure { begun.answer() }.code())
        }

    @Test
    fun `a batch is in the order of its requests`() =
        test {
            gateway.batches = {
                flowOf(
                    batchGenerateResponse {
                        index = 1
                        response = answer("second")
                    },
                )
            }
            val asked = generateRequest { messages += Messages.user("Hi") }
            val results = client.batch(listOf(asked, asked))
            assertInstanceOf(StreamBrokenException::class.java, results[0].error().get())
            assertEquals("second", results[1].get().text())
        }

    data class Animal(
        val name: String,
    )
}
