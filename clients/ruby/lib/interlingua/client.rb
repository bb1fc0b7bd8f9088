# frozen_string_literal: true

require "interlingua/stream"
require "interlingua/v1/gateway_service_services_pb"
require "interlingua/v1/model_service_services_pb"

module Interlingua
  # How to trust the gateway and, for mutual TLS, how to be trusted; PEM texts. Without
  # `root_certificates` those of gRPC count; `server_name` is the name in the certificate, if it is not
  # that of the address.
  TLS = Struct.new(:root_certificates, :private_key, :certificate_chain, :server_name, keyword_init: true)

  # Cancels the calls that were given it, from any thread.
  class Cancellation
    def initialize
      @lock = Mutex.new
      @operations = []
      @cancelled = false
    end

    def cancel
      @lock.synchronize do
        @cancelled = true
        @operations.each(&:cancel)
      end
    end

    def cancelled?
      @cancelled
    end

    # @api private
    def add(operation)
      @lock.synchronize do
        @operations << operation
        operation.cancel if @cancelled
      end
    end

    # @api private
    def remove(operation)
      @lock.synchronize { @operations.delete(operation) }
    end
  end

  # A connection to a gateway; one serves any number of threads.
  #
  # `address` is `host:port`, `unix:/path` or another gRPC target; without it the environment's
  # INTERLINGUA_ADDRESS counts, then 127.0.0.1:50051. `api_key` is sent as a bearer token; `token_source`
  # is called for one before each call. `tls` is true for TLS with the usual roots, or a TLS.
  # `timeout` bounds each call, in seconds, that does not name its own.
  #
  # Every call takes `timeout:`, `traceparent:` (a W3C trace context), `rpc_metadata:` and
  # `cancellation:`; what else it takes are fields of its request under their own names. Calls raise
  # Interlingua::Error and its children.
  class Client
    DEFAULT_ADDRESS = "127.0.0.1:50051"
    MAX_MESSAGE_BYTES = 64 * 1024 * 1024
    SERVICE_CONFIG = File.read(File.join(__dir__, "service_config.json")).freeze
    CHANNEL_ARGS = {
      "grpc.service_config" => SERVICE_CONFIG,
      "grpc.service_config_disable_resolution" => 1,
      "grpc.per_rpc_retry_buffer_size" => MAX_MESSAGE_BYTES,
      "grpc.max_receive_message_length" => MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length" => MAX_MESSAGE_BYTES,
      # The gateway refuses pings that come more often than every 5 seconds.
      "grpc.keepalive_time_ms" => 30_000,
      "grpc.keepalive_timeout_ms" => 10_000,
      "grpc.keepalive_permit_without_calls" => 1,
      "grpc.http2.max_pings_without_data" => 0,
      "grpc.initial_reconnect_backoff_ms" => 200,
      "grpc.max_reconnect_backoff_ms" => 2_000,
      "grpc.primary_user_agent" => "interlingua-ruby"
    }.freeze
    TIMEOUTS = {
      generate: 600, stream_generate: 600, embed: 120, batch_generate: 3600, count_tokens: 30
    }.freeze
    LOOK_UP_TIMEOUT = 15
    CALL_OPTIONS = %i[timeout traceparent rpc_metadata cancellation].freeze

    # The connection, for stubs of the services that have no method here.
    attr_reader :channel

    def initialize(address = nil, api_key: nil, token_source: nil, tls: nil, timeout: nil)
      address ||= ENV.fetch("INTERLINGUA_ADDRESS", DEFAULT_ADDRESS)
      @token_source = token_source || (api_key && -> { api_key })
      @timeout = timeout
      @channel = GRPC::Core::Channel.new(address, channel_args(tls), credentials(tls))
      @gateway = stub(V1::GatewayService)
      @models = stub(V1::ModelService)
    end

    def close
      @channel.close
    end

    # Answers a text, messages or a whole request, when the model has finished.
    def generate(prompt, **options)
      given, rest = split(options)
      Answer.new(call(@gateway, :generate, Requests.generate(prompt, rest), given))
    end

    # Answers like `generate`, event by event.
    def stream(prompt, **options)
      given, rest = split(options)
      operation = operation(@gateway, :stream_generate, Requests.generate(prompt, rest), given)
      Stream.new(operation, given[:cancellation])
    end

    # Turns texts into vectors, one for each, in their order.
    def embed(texts, **options)
      given, rest = split(options)
      Vectors.new(call(@gateway, :embed, Requests.embed(texts, rest), given))
    end

    # Answers several prompts, in their order; what failed is an error in its place. Raises only if the
    # batch failed before its first result.
    def batch(prompts, max_parallel: nil, **options)
      given, rest = split(options)
      requests = prompts.map { |prompt| Requests.generate(prompt, rest) }
      request = V1::BatchGenerateRequest.new(requests:)
      request.max_parallel = max_parallel if max_parallel
      batch_results(operation(@gateway, :batch_generate, request, given), requests.size)
    end

    # Counts the input tokens that `generate` would have with the same arguments.
    def count_tokens(prompt, **options)
      given, rest = split(options)
      request = V1::CountTokensRequest.new(request: Requests.generate(prompt, rest))
      call(@gateway, :count_tokens, request, given)
    end

    # How the gateway and its providers, or only `provider`, are.
    def health(provider = "", **options)
      call(@gateway, :health, V1::HealthRequest.new(provider:), options)
    end

    # Every model that may be named; the timeout holds for each page of them.
    def models(**options)
      found = []
      token = ""
      loop do
        page = call(@models, :list_models, V1::ListModelsRequest.new(page_token: token), options)
        found.concat(page.models.to_a)
        token = page.next_page_token
        return found if token.empty?
      end
    end

    # One model. Raises NotFoundError if there is none of that name.
    def model(name, **options)
      call(@models, :get_model, V1::GetModelRequest.new(name:), options).model
    end

    private

    def stub(service)
      service::Stub.new("", nil, channel_override: @channel)
    end

    def split(options)
      options.partition { |name, _| CALL_OPTIONS.include?(name) }.map(&:to_h)
    end

    def call(stub, method, request, options)
      operation = operation(stub, method, request, options)
      options[:cancellation]&.add(operation)
      operation.execute
    rescue GRPC::BadStatus => e
      raise Errors.from_grpc(e)
    rescue GRPC::Core::CallError => e
      raise Errors.from_call_error(e, operation.deadline, cancelled: options[:cancellation]&.cancelled?)
    ensure
      options[:cancellation]&.remove(operation)
    end

    def operation(stub, method, request, options)
      timeout = options[:timeout] || @timeout || TIMEOUTS.fetch(method, LOOK_UP_TIMEOUT)
      deadline = Time.now + timeout
      stub.public_send(method, request, return_op: true, deadline:, metadata: metadata(options))
    end

    def metadata(options)
      metadata = (options[:rpc_metadata] || {}).transform_keys(&:to_s)
      metadata["authorization"] = "Bearer #{@token_source.call}" if @token_source
      metadata["traceparent"] = options[:traceparent] if options[:traceparent]
      metadata
    end

    def batch_results(operation, count)
      arrived = []
      begin
        operation.execute.each { |item| arrived << item }
      rescue GRPC::BadStatus => e
        failure = Errors.from_grpc(e)
        raise failure if arrived.empty?
      end
      failure ||= StreamBrokenError.new("no result was sent", code: :DATA_LOSS)
      results = Array.new(count, Errors.cut_off(failure))
      arrived.each { |item| results[item.index] = batch_result(item) if item.index < count }
      results
    end

    def batch_result(item)
      item.result == :response ? Answer.new(item.response) : Errors.from_status(item.error)
    end

    def channel_args(tls)
      name = tls.server_name if tls.is_a?(TLS)
      name ? CHANNEL_ARGS.merge("grpc.ssl_target_name_override" => name) : CHANNEL_ARGS
    end

    def credentials(tls)
      case tls
      when nil, false then :this_channel_is_insecure
      when true then GRPC::Core::ChannelCredentials.new
      else
        GRPC::Core::ChannelCredentials.new(tls.root_certificates, tls.private_key, tls.certificate_chain)
      end
    end
  end
end
