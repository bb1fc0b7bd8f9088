package dev.interlingua.kotlin

import dev.interlingua.client.AnswerAssembler
import dev.interlingua.client.GenerateResult
import dev.interlingua.client.Tools
import dev.interlingua.v1.StreamGenerateResponse
import dev.interlingua.v1.ToolCall
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.map

/** The text of one candidate as it comes; skips every other event. */
public fun Flow<StreamGenerateResponse>.textDeltas(candidate: Int = 0): Flow<String> =
    filter { it.candidateIndex == candidate && it.textDelta.isNotEmpty() }.map { it.textDelta }

/** Collects the stream and returns the whole answer. */
public suspend fun Flow<StreamGenerateResponse>.answer(): GenerateResult {
    val assembler = AnswerAssembler()
    collect { assembler.add(it) }
    assembler.end()
    return assembler.response()
}

/**
 * The text as a value, where the request asked for JSON; classes, read by Gson, which knows nothing
 * of default values. For kotlinx.serialization give `text()` to it.
 *
 * Throws `JsonParseException` if the text is not JSON of that type.
 */
public inline fun <reified T> GenerateResult.json(): T = json(T::class.java)

/** The arguments of a call as a value, read like [GenerateResult.json]. */
public inline fun <reified T> ToolCall.arguments(): T = Tools.arguments(this, T::class.java)
