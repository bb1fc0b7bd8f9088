# frozen_string_literal: true

require "delegate"
require "json"

module Interlingua
  # A whole answer: the GenerateResponse of the contract, with what is usually wanted of it. What is said
  # of one candidate here is said of the first.
  class Answer < SimpleDelegator
    # The text parts, joined; empty if the model only called tools.
    def text
      parts.map(&:text).join
    end

    # What the model shows of its reasoning, joined.
    def reasoning
      parts.filter_map { |part| part.reasoning&.text }.join
    end

    # The calls that the model wants made.
    def tool_calls
      parts.filter_map(&:tool_call)
    end

    # The text as the JSON value that it is, for structured answers; keys are strings.
    def json
      JSON.parse(text)
    end

    # The answer as a message, to be appended to the conversation when it goes on.
    def message
      V1::Message.new(role: :ROLE_ASSISTANT, parts: parts.to_a)
    end

    # Why it ended: :stop, :length, :tool_calls ...; nil before the end of a stream.
    def finish_reason
      candidates.first&.finish&.reason&.to_s&.delete_prefix("FINISH_REASON_")&.downcase&.to_sym
    end

    # What the call cost in 1e-9 USD; nil if the price of the model is unknown.
    def cost_nano_usd
      cost&.cost_nano_usd
    end

    private

    def parts
      candidates.first&.parts || []
    end
  end

  # Vectors: the EmbedResponse of the contract, with its numbers.
  class Vectors < SimpleDelegator
    # One array of numbers for each input, in the order of the inputs.
    def to_a
      embeddings.map { |one| one.values.empty? ? one.float32_le.unpack("e*") : one.values.to_a }
    end
  end

  # Adds up the events of a stream to what Generate would have answered.
  class Assembly
    EMPTY = {
      text: -> { "" },
      reasoning: -> { V1::Reasoning.new },
      tool_call: -> { V1::ToolCall.new },
      audio: -> { V1::Media.new }
    }.freeze
    private_constant :EMPTY

    def initialize
      @response = V1::GenerateResponse.new
      @calls = {}
    end

    # The answer so far; whole once `completed` was among the events.
    def answer
      Answer.new(@response)
    end

    def add(event)
      case event.event
      when :text_delta then last_part(event, :text).text += event.text_delta
      when :reasoning_delta then add_reasoning(event)
      when :tool_call_delta then add_call(event)
      when :media_delta then add_media(event)
      when :logprobs then candidate(event).logprobs.concat(event.logprobs.tokens.to_a)
      when :finish then candidate(event).finish = event.finish
      else add_to_call(event)
      end
    end

    private

    def add_to_call(event)
      case event.event
      when :start
        @response.operation_id = event.start.operation_id
        @response.answered_by = event.start.answered_by
      when :usage then @response.usage = event.usage
      when :attempt
        @response.report ||= V1::CallReport.new
        @response.report.attempts << event.attempt
      when :completed
        @response.usage = event.completed.usage
        @response.cost = event.completed.cost
        @response.report = event.completed.report
      end
    end

    def candidate(event)
      candidates = @response.candidates
      candidates << V1::Candidate.new(index: candidates.size) while candidates.size <= event.candidate_index
      candidates[event.candidate_index]
    end

    # The last part of the event's candidate if it is a `kind` and the block, if any, agrees; else a new
    # one.
    def last_part(event, kind)
      parts = candidate(event).parts
      last = parts[-1]
      return last if last&.content == kind && (!block_given? || yield(last))

      parts << V1::Part.new(kind => EMPTY.fetch(kind).call)
      parts[-1]
    end

    def add_reasoning(event)
      delta = event.reasoning_delta
      part = last_part(event, :reasoning) do |last|
        last.reasoning.signature.empty? && last.reasoning.redacted == delta.redacted
      end
      part.reasoning.text += delta.text
      part.reasoning.signature = delta.signature
      part.reasoning.redacted = delta.redacted
    end

    def add_call(event)
      delta = event.tool_call_delta
      key = [event.candidate_index, delta.call_index]
      call = @calls[key] ||= last_part(event, :tool_call) { false }.tool_call
      call.id = delta.id if call.id.empty?
      call.name = delta.name if call.name.empty?
      call.arguments_json += delta.arguments_json_fragment
    end

    def add_media(event)
      delta = event.media_delta
      if delta.kind == :MEDIA_DELTA_KIND_AUDIO
        sound = last_part(event, :audio).audio
        sound.mime_type = delta.media.mime_type
        sound.data += delta.media.data
      else
        candidate(event).parts << V1::Part.new(image: delta.media)
      end
    end
  end
end
