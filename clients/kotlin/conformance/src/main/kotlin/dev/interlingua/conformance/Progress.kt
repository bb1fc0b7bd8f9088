package dev.interlingua.conformance

import dev.interlingua.v1.StreamGenerateResponse

/** How far a stream has been read. */
class Progress {
    val events = mutableListOf<String>()
    private val text = StringBuilder()

    val seen: Seen get() = mapOf("events" to events, "text" to text.toString())

    fun add(event: StreamGenerateResponse) {
        events += encoded(event)
        if (event.candidateIndex == 0) {
            text.append(event.textDelta)
        }
    }
}
