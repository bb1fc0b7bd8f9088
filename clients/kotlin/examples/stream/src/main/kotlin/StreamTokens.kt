import dev.interlingua.kotlin.InterlinguaClient
import dev.interlingua.kotlin.answer
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking

/** Streams an answer of the default model of the gateway that INTERLINGUA_ADDRESS names. */
fun main(arguments: Array<String>): Unit =
    runBlocking {
        val prompt = arguments.joinToString(" ").ifEmpty { "Why is the sky blue?" }
        InterlinguaClient().use { client ->
            val answer =
                client
                    .stream(prompt)
                    .onEach {
                        print(it.textDelta)
                        System.out.flush()
                    }.answer()
            println()
            println("${answer.usage().outputTokens} tokens")
        }
    }
