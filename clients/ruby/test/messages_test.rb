# frozen_string_literal: true

require "minitest/autorun"
require "interlingua"

class MessagesTest < Minitest::Test
  include Interlingua

  def test_a_prompt_with_options_becomes_a_request
    request = Requests.generate("Hi", { model: "m", temperature: 0.5, tags: ["a"] })

    assert_equal ["m", 0.5, ["a"]], [request.model, request.sampling.temperature, request.tags.to_a]
    assert_equal [:ROLE_USER, "Hi"], [request.messages[0].role, request.messages[0].parts[0].text]
    assert_nil Requests.generate("Hi", {}).sampling
  end

  def test_wrong_options_are_refused
    assert_raises(ArgumentError) { Requests.generate("Hi", { temprature: 1 }) }
    assert_raises(ArgumentError) { Requests.generate(V1::GenerateRequest.new, { model: "m" }) }
    assert_raises(ArgumentError) { Interlingua.image(data: "x") }
    assert_raises(ArgumentError) { Interlingua.image }
  end

  def test_messages_take_texts_and_parts
    message = Interlingua.user("What?",
                               Interlingua.image(data: "\x89PNG", mime_type: "image/png", detail: :high))

    assert_equal "What?", message.parts[0].text
    assert_equal ["\x89PNG".b, :MEDIA_DETAIL_HIGH],
                 [message.parts[1].image.data, message.parts[1].image.detail]
  end

  def test_tool_results_name_their_call
    call = V1::ToolCall.new(id: "c1", name: "weather")
    result = Interlingua.tool_result(call, "No such city.", error: true).parts[0].tool_result

    assert_equal ["c1", "weather", true], [result.tool_call_id, result.name, result.is_error]
    assert_equal "No such city.", result.parts[0].text
  end

  def test_structured_answers_are_values
    format = Interlingua.json_schema({ type: "object" }, name: "city", strict: true)
    candidate = V1::Candidate.new(parts: [V1::Part.new(text: '{"name":'), V1::Part.new(text: '"Ulm"}')])
    answer = Answer.new(V1::GenerateResponse.new(candidates: [candidate]))

    assert_equal '{"type":"object"}', format.json_schema.schema_json
    assert_equal({ "name" => "Ulm" }, answer.json)
    assert_nil answer.cost_nano_usd
  end

  def test_vectors_come_as_numbers_or_bytes
    response = V1::EmbedResponse.new(embeddings: [{ values: [1.5, -2] },
                                                  { float32_le: [1.5, -2].pack("e*") }])

    assert_equal [[1.5, -2.0], [1.5, -2.0]], Vectors.new(response).to_a
  end

  def test_events_add_up_to_an_answer
    assembly = Assembly.new
    deltas = [
      { start: { operation_id: "op_1" } },
      { reasoning_delta: { text: "Let me" } }, { reasoning_delta: { text: " see." } },
      { reasoning_delta: { signature: "sig" } },
      { text_delta: "Hel" }, { text_delta: "lo" },
      { tool_call_delta: { call_index: 0, id: "c0", arguments_json_fragment: '{"a":' } },
      { tool_call_delta: { call_index: 1, id: "c1", arguments_json_fragment: "{}" } },
      { tool_call_delta: { call_index: 0, arguments_json_fragment: "1}" } },
      { candidate_index: 1, text_delta: "Hi" },
      { finish: { reason: :FINISH_REASON_TOOL_CALLS } },
      { completed: { usage: { output_tokens: 9 } } }
    ]
    deltas.each { |fields| assembly.add(V1::StreamGenerateResponse.new(**fields)) }
    answer = assembly.answer

    assert_equal ["op_1", "Hello", "Let me see."], [answer.operation_id, answer.text, answer.reasoning]
    assert_equal [["c0", '{"a":1}'], ["c1", "{}"]], (answer.tool_calls.map do |one|
                                                       [one.id, one.arguments_json]
                                                     end)
    assert_equal [:tool_calls, 9, "Hi"],
                 [answer.finish_reason, answer.usage.output_tokens, answer.candidates[1].parts[0].text]
  end
end
