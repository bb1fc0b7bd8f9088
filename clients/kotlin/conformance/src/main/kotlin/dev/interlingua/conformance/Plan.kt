package dev.interlingua.conformance

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import dev.interlingua.client.RequestOptions
import dev.interlingua.client.Tls
import dev.interlingua.kotlin.InterlinguaClient
import dev.interlingua.kotlin.requestOptions
import java.io.File
import java.util.Base64
import kotlin.time.Duration.Companion.milliseconds

/** What the harness asks for. */
class Plan(
    val scenarios: List<Scenario>,
)

/** One scenario; [request] is the binary message in base64, null where the operation takes none. */
class Scenario(
    val name: String,
    val op: String,
    private val request: String?,
    private val options: JsonObject?,
) {
    val message: ByteArray get() = Base64.getDecoder().decode(request.orEmpty())

    val callOptions: RequestOptions
        get() =
            requestOptions(
                option("deadline_ms")?.asLong?.milliseconds,
                option("traceparent")?.asString,
                option("metadata")?.asJsonObject?.entrySet().orEmpty().associate {
                    it.key to it.value.asString
                },
            )

    fun option(key: String): JsonElement? = options?.get(key)

    fun number(
        key: String,
        otherwise: Int,
    ): Int = option(key)?.asInt ?: otherwise

    /** The client that this scenario wants for itself; null if it takes the shared one. */
    fun ownClient(): InterlinguaClient? {
        val address = option("address")?.asString ?: return null
        var asked = 0
        return InterlinguaClient(
            address,
            tls = option("tls")?.asJsonObject?.let(::tls),
            apiKey = option("api_key")?.asString,
            tokenSource = option("token_source")?.let { { "token-${++asked}" } },
        )
    }

    private fun tls(given: JsonObject): Tls {
        var tls = Tls.usual().trusting(File(given["ca_file"].asString))
        given["cert_file"]?.let {
            tls = tls.identity(File(it.asString), File(given["key_file"].asString))
        }
        given["server_name"]?.let { tls = tls.serverName(it.asString) }
        return tls
    }
}
