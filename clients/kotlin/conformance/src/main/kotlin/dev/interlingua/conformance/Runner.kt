package dev.interlingua.conformance

import com.google.gson.Gson
import dev.interlingua.kotlin.InterlinguaClient
import kotlinx.coroutines.runBlocking
import java.io.File
import java.io.FileDescriptor
import java.io.FileOutputStream
import java.io.PrintStream

private val gson = Gson()
private val out = PrintStream(FileOutputStream(FileDescriptor.out), true, Charsets.UTF_8)

/**
 * Performs the scenarios of a plan one after the other; see clients/conformance/README.md.
 *
 * Takes the gateway's address and the path of the plan.
 */
fun main(arguments: Array<String>): Unit =
    runBlocking {
        val plan = gson.fromJson(File(arguments[1]).readText(), Plan::class.java)
        InterlinguaClient(arguments[0]).use { client ->
            for (scenario in plan.scenarios) {
                val observed = perform(client, scenario)
                out.println(gson.toJson(mapOf("scenario" to scenario.name, "observed" to observed)))
            }
        }
    }

private suspend fun perform(
    shared: InterlinguaClient,
    scenario: Scenario,
): Seen =
    runCatching {
        val own = scenario.ownClient()
        try {
            Operations(own ?: shared, ::pause).repeated(scenario)
        } finally {
            own?.close()
        }
    }.getOrElse { mapOf("crash" to it.toString()) }

private fun pause(name: String) {
    out.println(gson.toJson(mapOf("pause" to name)))
    readln()
}
