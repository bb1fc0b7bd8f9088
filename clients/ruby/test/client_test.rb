# frozen_string_literal: true

require "server"

class ClientTest < GatewayTest
  TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  Codes = GRPC::Core::StatusCodes

  def test_sends_credentials_and_trace_context
    client = Client.new(@address, api_key: "il_1_x")
    answer = client.generate("Hi", traceparent: TRACE, rpc_metadata: { "x-a" => "b" })

    assert_equal "Hi", answer.text
    assert_equal "Bearer il_1_x", @gateway.metadata["authorization"]
    assert_equal TRACE, @gateway.metadata["traceparent"]
    assert_equal "b", @gateway.metadata["x-a"]
  end

  def test_asks_its_token_source_before_every_call
    count = 0
    client = Client.new(@address, token_source: -> { "token-#{count += 1}" })
    2.times { client.generate("Hi") }

    assert_equal "Bearer token-2", @gateway.metadata["authorization"]
  end

  def test_errors_carry_their_details
    @gateway.answer = lambda do
      raise failed(
        Codes::RESOURCE_EXHAUSTED,
        Google::Rpc::ErrorInfo.new(reason: "ERROR_REASON_RATE_LIMITED",
                                   metadata: { "operation_id" => "op_1" }),
        Google::Rpc::RetryInfo.new(retry_delay: Google::Protobuf::Duration.new(seconds: 2,
                                                                               nanos: 500_000_000)),
        Google::Rpc::QuotaFailure.new(violations: [{ subject: "tenant:acme", description: "600 a minute" }]),
        message: "Too many requests."
      )
    end
    error = assert_raises(RateLimitedError) { @client.generate("Hi") }

    assert_equal ["Too many requests.", :RESOURCE_EXHAUSTED], [error.message, error.code]
    assert_equal "ERROR_REASON_RATE_LIMITED", error.reason
    assert_in_delta 2.5, error.retry_after
    assert_equal [Violation.new("tenant:acme", "600 a minute")], error.violations
    assert_equal "op_1", error.operation_id
  end

  def test_a_cancellation_ends_a_call_that_is_waited_for
    begun = Queue.new
    gone = Queue.new
    @gateway.answer = lambda do
      begun << true
      gone.pop
      V1::GenerateResponse.new
    end
    cancellation = Cancellation.new
    canceller = Thread.new { begun.pop && cancellation.cancel }
    assert_raises(CancelledError) { @client.generate("Hi", cancellation:) }
    gone << true
    canceller.join
  end

  def test_a_batch_keeps_its_order_and_its_failures
    @gateway.batch = lambda do |results|
      results << V1::BatchGenerateResponse.new(index: 1, response: { operation_id: "second" })
      results << V1::BatchGenerateResponse.new(index: 0, error: { code: Codes::INVALID_ARGUMENT })
      raise failed(Codes::UNAVAILABLE, message: "connection lost")
    end
    first, second, third = @client.batch(%w[a b c])

    assert_kind_of InvalidRequestError, first
    assert_equal "second", second.operation_id
    assert_kind_of StreamBrokenError, third
  end

  def test_a_method_that_the_gateway_lacks_is_an_error
    assert_raises(UnimplementedError) { @client.models }
  end
end
