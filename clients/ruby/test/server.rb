# frozen_string_literal: true

require "minitest/autorun"
require "tmpdir"
require "interlingua"

# A server of gRPC's own in this process, on a Unix socket; its methods are the test's blocks.
class Gateway < Interlingua::V1::GatewayService::Service
  attr_accessor :answer, :script, :batch
  attr_reader :metadata

  def generate(request, call)
    @metadata = call.metadata
    return answer.call if answer

    said = Interlingua::V1::Candidate.new(parts: [request.messages[-1].parts[0]])
    Interlingua::V1::GenerateResponse.new(candidates: [said])
  end

  def stream_generate(_request, call)
    Enumerator.new { |events| script.call(events, call) }
  end

  def batch_generate(_request, _call)
    Enumerator.new { |results| batch.call(results) }
  end
end

# Starts the server for each test.
class GatewayTest < Minitest::Test
  include Interlingua

  def setup
    @directory = Dir.mktmpdir
    @address = "unix:#{@directory}/socket"
    @gateway = Gateway.new
    @server = GRPC::RpcServer.new
    @server.add_http2_port(@address, :this_port_is_insecure)
    @server.handle(@gateway)
    @thread = Thread.new { @server.run }
    @server.wait_till_running
    @client = Client.new(@address)
  end

  def teardown
    @client.close
    @server.stop
    @thread.join
    FileUtils.remove_entry(@directory)
  end

  def event(sequence, **rest)
    V1::StreamGenerateResponse.new(sequence:, **rest)
  end

  def failed(code, *details, message: "no")
    status = Google::Rpc::Status.new(code:, message:, details: details.map do |one|
                                                                 Google::Protobuf::Any.pack(one)
                                                               end)
    trailers = { Errors::STATUS_KEY => Google::Rpc::Status.encode(status) }
    GRPC::BadStatus.new_status_exception(code, message, trailers)
  end
end
