# frozen_string_literal: true

# The conformance runner: performs a plan with the client, see clients/conformance/README.md.
require_relative "report"
require "grpc/health/v1/health_services_pb"

# One scenario: its client, its request and what its options wish for.
class Scenario
  V1 = Interlingua::V1
  Health = Grpc::Health::V1

  def initialize(plan, shared)
    @plan = plan
    @options = plan["options"] || {}
    @client = @options["address"] ? own_client : shared
    @cancellation = Interlingua::Cancellation.new
  end

  OPERATIONS = %w[generate stream embed batch count_tokens health list_models build watch restart
                  drain].freeze

  def perform
    return { crash: "unknown op" } unless OPERATIONS.include?(@plan["op"])

    send(@plan["op"])
  rescue StandardError => e
    { crash: "#{e.class}: #{e.message}\n#{e.backtrace.first(5).join("\n")}" }
  end

  private

  def own_client
    count = 0
    source = -> { "token-#{count += 1}" }
    Interlingua::Client.new(
      @options["address"],
      api_key: @options["api_key"], tls: @options["tls"] && tls(@options["tls"]),
      token_source: @options["token_source"] ? source : nil
    )
  end

  def tls(wishes)
    pem = ->(key) { wishes[key] && File.read(wishes[key]) }
    Interlingua::TLS.new(
      root_certificates: pem["ca_file"], certificate_chain: pem["cert_file"], private_key: pem["key_file"],
      server_name: wishes["server_name"]
    )
  end

  # The options of the next call; where the scenario wants it cancelled the time starts now.
  def call_options
    wishes = {
      timeout: @options["deadline_ms"] && (@options["deadline_ms"] / 1000.0),
      traceparent: @options["traceparent"], rpc_metadata: @options["metadata"]
    }.compact
    return wishes unless (after = @options["cancel_after_ms"])

    Thread.new do
      sleep(after / 1000.0)
      @cancellation.cancel
    end
    { **wishes, cancellation: @cancellation }
  end

  # What the last of the scenario's calls observed: what the block says, or how it failed.
  def observe(partial = -> { {} })
    (@options["calls"] || 1).times.map { told(partial) { yield(call_options) } }.last
  end

  def told(partial)
    yield
  rescue Interlingua::Error => e
    return { **partial.call, cancelled: true } if e.code == :CANCELLED && @cancellation.cancelled?

    { **partial.call, error: Report.failure(e) }
  end

  def request(type)
    Report.decoded(type, @plan)
  end

  def generate
    observe do |options|
      answer = @client.generate(request(V1::GenerateRequest), **options)
      { response: Report.encoded(Report.raw(answer)), text: answer.text }
    end
  end

  def stream
    seen = []
    partial = -> { { events: seen.map { |event| Report.encoded(event) }, text: text_of(seen) } }
    observe(partial) do |options|
      seen.clear
      left = read(@client.stream(request(V1::GenerateRequest), **options), seen)
      left ? { **partial.call, cancelled: true } : partial.call
    end
  end

  # Reads a stream to its end, or to where the scenario leaves it; says whether it was left.
  def read(stream, seen)
    stream.each do |event|
      seen << event
      return true if seen.size == @options["leave_after_events"]
    end
    false
  end

  def text_of(events)
    events.select { |event| event.candidate_index.zero? && event.event == :text_delta }.map(&:text_delta).join
  end

  def embed
    observe do |options|
      vectors = @client.embed(request(V1::EmbedRequest), **options)
      packed = vectors.to_a.map { |values| Base64.strict_encode64(values.pack("e*")) }
      { response: Report.encoded(Report.raw(vectors)), vectors: packed }
    end
  end

  def batch
    wanted = request(V1::BatchGenerateRequest)
    parallel = wanted.has_max_parallel? ? wanted.max_parallel : nil
    observe do |options|
      results = @client.batch(wanted.requests.to_a, max_parallel: parallel, **options)
      { results: results.map { |result| batch_result(result) } }
    end
  end

  def batch_result(result)
    return { error: Report.failure(result) } if result.is_a?(Interlingua::Error)

    { response: Report.encoded(Report.raw(result)) }
  end

  def count_tokens
    observe do |options|
      { response: Report.encoded(@client.count_tokens(request(V1::CountTokensRequest).request, **options)) }
    end
  end

  def health
    observe do |options|
      { response: Report.encoded(@client.health(request(V1::HealthRequest).provider, **options)) }
    end
  end

  def list_models
    observe { |options| { models: @client.models(**options).map(&:name) } }
  end

  def build
    made = Interlingua::Requests.generate(
      conversation,
      { model: "any", temperature: 0.5, max_output_tokens: 100, tools: [lookup_tool],
        response_format: animal }
    )
    { request: Report.encoded(made) }
  end

  def conversation
    picture = Interlingua.image(data: "\x89PNG".b, mime_type: "image/png", detail: :high)
    call = Interlingua.tool_call(id: "call_1", name: "lookup", arguments: { animal: "fox" })
    [
      Interlingua.system("Be brief."),
      Interlingua.user("What is this? 🦊", picture),
      Interlingua.user(Interlingua.image(uri: "https://example.org/fox.jpg")),
      Interlingua.assistant(call),
      Interlingua.tool_result(call.tool_call, "Vulpes vulpes")
    ]
  end

  def lookup_tool
    properties = { animal: { type: "string" } }
    Interlingua.tool("lookup", "Looks up an animal.",
                     parameters: { type: "object", properties:, required: ["animal"] })
  end

  def animal
    schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] }
    Interlingua.json_schema(schema, name: "animal", strict: true)
  end

  def pause(name)
    Report.line(pause: name)
    $stdin.gets
  end

  def watch
    stub = Health::Health::Stub.new("", nil, channel_override: @client.channel)
    statuses = []
    begin
      stub.watch(Health::HealthCheckRequest.new).each do |response|
        statuses << response.status
        pause("watching") if statuses.size == 1
      end
    rescue GRPC::BadStatus
      nil # the gateway has left
    end
    { statuses:, again: first_status(stub) }
  end

  def first_status(stub, turns: 50)
    operation = stub.watch(Health::HealthCheckRequest.new, return_op: true)
    operation.execute.first.status
  rescue GRPC::Unavailable
    raise if turns.zero?

    sleep 0.2
    first_status(stub, turns: turns - 1)
  ensure
    operation&.cancel
  end

  def restart
    before = generate
    pause("restart")
    { before:, after: generate }
  end

  def drain
    open = Array.new(@options["streams"] || 1) do
      @client.stream(request(V1::GenerateRequest), **call_options).each
    end
    seen = open.map { |events| [events.next] }
    pause("streaming")
    streams = open.zip(seen).map { |events, first| rest(events, first) }
    pause("drained")
    calls = Array.new(@options["calls"] || 1) do
      told(-> { {} }) { { text: @client.generate(request(V1::GenerateRequest), **call_options).text } }
    end
    { streams:, calls: }
  end

  def rest(events, seen)
    partial = -> { { text: text_of(seen) } }
    told(partial) do
      loop { seen << events.next }
      partial.call
    end
  end
end

abort "usage: runner.rb ADDRESS PLAN" unless ARGV.size == 2

client = Interlingua::Client.new(ARGV[0])
JSON.parse(File.read(ARGV[1])).fetch("scenarios").each do |plan|
  Report.line(scenario: plan["name"], observed: Scenario.new(plan, client).perform)
end
