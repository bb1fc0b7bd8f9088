# frozen_string_literal: true

require "json"
require "interlingua/v1/generate_pb"
require "interlingua/v1/embed_pb"

module Interlingua
  # Constructors of messages, parts and tools.
  class << self
    # Messages; each takes texts and parts.
    def system(*parts)
      message(:ROLE_SYSTEM, parts)
    end

    def user(*parts)
      message(:ROLE_USER, parts)
    end

    # A message of the model. To continue from an answer, send its `message` back instead.
    def assistant(*parts)
      message(:ROLE_ASSISTANT, parts)
    end

    # What a tool returned for `call`; with `error` the text describes how it failed.
    def tool_result(call, *parts, error: false)
      result = V1::ToolResult.new(
        tool_call_id: call.id, name: call.name, is_error: error, parts: parts.map { |one| part(one) }
      )
      V1::Message.new(role: :ROLE_TOOL, parts: [V1::Part.new(tool_result: result)])
    end

    # A picture by its bytes, which need their MIME type, or by a URI that the provider can fetch.
    # `detail` is :low or :high.
    def image(data: nil, uri: nil, mime_type: "", detail: nil)
      raise ArgumentError, "an image has data or a uri" unless data.nil? ^ uri.nil?
      raise ArgumentError, "an image given as data needs its mime_type" if data && mime_type.empty?

      media = V1::Media.new(mime_type:)
      data ? media.data = data.b : media.uri = uri
      media.detail = :"MEDIA_DETAIL_#{detail.to_s.upcase}" if detail
      V1::Part.new(image: media)
    end

    # A tool call that the model has made, for conversations that are told again.
    def tool_call(id:, name:, arguments: {})
      V1::Part.new(tool_call: V1::ToolCall.new(id:, name:, arguments_json: json(arguments)))
    end

    # A function that the model may call; `parameters` is the JSON Schema of its arguments.
    def tool(name, description = "", parameters: nil, strict: nil)
      made = V1::Tool.new(
        name:, description:, parameters_json_schema: parameters ? json(parameters) : ""
      )
      made.strict = strict unless strict.nil?
      made
    end

    # The response format of a JSON value that satisfies `schema`.
    def json_schema(schema, name: "answer", strict: nil)
      wanted = V1::JsonSchemaFormat.new(name:, schema_json: json(schema))
      wanted.strict = strict unless strict.nil?
      V1::ResponseFormat.new(json_schema: wanted)
    end

    private

    def message(role, parts)
      V1::Message.new(role:, parts: parts.map { |one| part(one) })
    end

    def part(one)
      one.is_a?(String) ? V1::Part.new(text: one) : one
    end

    def json(value)
      value.is_a?(String) ? value : JSON.generate(value)
    end
  end

  # Turns prompts and options into requests of the contract.
  module Requests
    SAMPLING = V1::SamplingOptions.descriptor.map { |field| field.name.to_sym }.freeze
    GENERATE = V1::GenerateRequest.descriptor.map { |field| field.name.to_sym }.freeze
    EMBED = V1::EmbedRequest.descriptor.map { |field| field.name.to_sym }.freeze

    module_function

    # The request for `prompt`: a text, messages, or a whole request, which is sent as it stands.
    # `options` are fields of GenerateRequest and SamplingOptions under their own names.
    def generate(prompt, options)
      return whole(prompt, options) if prompt.is_a?(V1::GenerateRequest)

      sampling, rest = options.partition { |name, _| SAMPLING.include?(name) }.map(&:to_h)
      refuse_unknown(rest, GENERATE - %i[messages sampling])
      request = V1::GenerateRequest.new(**rest, messages: conversation(prompt))
      request.sampling = V1::SamplingOptions.new(**sampling) unless sampling.empty?
      request
    end

    # The request for the vectors of texts, asked for as bytes, which no side has to take apart.
    def embed(texts, options)
      return whole(texts, options) if texts.is_a?(V1::EmbedRequest)

      refuse_unknown(options, EMBED - %i[inputs])
      inputs = Array(texts).map { |text| V1::EmbedInput.new(text:) }
      V1::EmbedRequest.new(encoding: :EMBEDDING_ENCODING_FLOAT32_LE, **options, inputs:)
    end

    def whole(request, options)
      return request if options.empty?

      raise ArgumentError, "a whole request takes no options: set its fields"
    end

    def conversation(prompt)
      prompt.is_a?(String) ? [Interlingua.user(prompt)] : Array(prompt)
    end

    def refuse_unknown(options, known)
      unknown = options.keys - known
      raise ArgumentError, "unknown option #{unknown.join(", ")}" unless unknown.empty?
    end
  end
end
