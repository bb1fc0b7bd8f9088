package dev.interlingua.kotlin

import dev.interlingua.client.Formats
import dev.interlingua.client.Messages
import dev.interlingua.client.Parts
import dev.interlingua.client.RequestOptions
import dev.interlingua.client.Tools
import dev.interlingua.v1.GenerateRequestKt
import dev.interlingua.v1.Part
import dev.interlingua.v1.SamplingOptionsKt
import dev.interlingua.v1.ToolCall
import dev.interlingua.v1.samplingOptions
import kotlin.time.Duration
import kotlin.time.toJavaDuration

/** Adds instructions that stand above the conversation. */
public fun GenerateRequestKt.Dsl.system(text: String) {
    messages += Messages.system(text)
}

/** Adds instructions of the application. */
public fun GenerateRequestKt.Dsl.developer(text: String) {
    messages += Messages.developer(text)
}

/** Adds what the person or program that asks says. */
public fun GenerateRequestKt.Dsl.user(text: String) {
    messages += Messages.user(text)
}

/** Adds what the person or program that asks says and shows; [Parts] makes the parts. */
public fun GenerateRequestKt.Dsl.user(vararg parts: Part) {
    messages += Messages.user(*parts)
}

/** Adds what the model said. To go on from an answer, add its `message()` instead. */
public fun GenerateRequestKt.Dsl.assistant(text: String) {
    messages += Messages.assistant(text)
}

/** Adds what the model said and called. */
public fun GenerateRequestKt.Dsl.assistant(vararg parts: Part) {
    messages += Messages.assistant(*parts)
}

/** Adds what a tool returned for a call of the model. */
public fun GenerateRequestKt.Dsl.toolResult(
    call: ToolCall,
    text: String,
) {
    messages += Messages.toolResult(call, text)
}

/** Adds that a tool failed; the text describes the failure to the model. */
public fun GenerateRequestKt.Dsl.toolFailure(
    call: ToolCall,
    text: String,
) {
    messages += Messages.toolFailure(call, text)
}

/**
 * Adds a function that the model may call; [parameters] is the JSON Schema of its arguments, empty
 * for none.
 */
public fun GenerateRequestKt.Dsl.tool(
    name: String,
    description: String,
    parameters: String = "",
) {
    tools += Tools.function(name, description, parameters)
}

/** Says how tokens are drawn. */
public fun GenerateRequestKt.Dsl.sampling(options: SamplingOptionsKt.Dsl.() -> Unit) {
    sampling = samplingOptions(options)
}

/** Asks for JSON that satisfies a schema, exactly; read it by `json()` of the result. */
public fun GenerateRequestKt.Dsl.jsonSchema(
    name: String,
    schema: String,
) {
    responseFormat = Formats.jsonSchema(name, schema)
}

/**
 * What one call brings beside its request.
 *
 * @param timeout bounds the call, with all that the gateway does for it
 * @param traceparent the W3C trace context that the call continues
 * @param metadata further gRPC metadata
 */
public fun requestOptions(
    timeout: Duration? = null,
    traceparent: String? = null,
    metadata: Map<String, String> = emptyMap(),
): RequestOptions {
    var options = RequestOptions.none()
    timeout?.let { options = options.timeout(it.toJavaDuration()) }
    traceparent?.let { options = options.traceparent(it) }
    metadata.forEach { (key, value) -> options = options.metadata(key, value) }
    return options
}
