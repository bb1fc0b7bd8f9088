"""The embedded model: a supervised child process that serves the OpenAI dialect on loopback.

How its dialect differs from OpenAI's (xllamacpp 2026.10, each observed on its wire):

- `n` above one: a whole answer's `usage` counts one choice only; a stream brings a usage chunk at
  the end of each choice, with that choice's output tokens. `n` above `streams` is a 400.
- Tools are never called: `tools` and `tool_choice` are accepted and have no effect with these
  weights, and the tool calls of earlier messages are left out of the prompt. A `json_schema` does
  bind the answer; a schema that it cannot use is a 400.
- `dimensions` of embeddings is ignored; `encoding_format: base64` works. Chat and embeddings of
  one server do not disturb each other.
- A prompt over the context is a 400 of type `exceed_context_size_error` with `n_prompt_tokens` and
  `n_ctx`; a prompt within it whose answer does not fit ends with `finish_reason: length`. A text
  to embed over `embedding_tokens` is a 500 of type `server_error`, and so is an image.
- An unknown model, an empty list of messages, a negative temperature and `max_tokens: 0` (one
  token) are 200.
- A disconnect ends a stream at its next token, and within one batch while the prompt is read; an
  answer that is not streamed goes on for up to a second.
- After a streamed response it closes the connection without saying so, and any after 5 s idle.
- `POST chat/completions/input_tokens` counts the tokens of a chat request exactly; `/tokenize` and
  `/apply-template` stand beside `/v1`. Only `/health` answers without the key.
"""
