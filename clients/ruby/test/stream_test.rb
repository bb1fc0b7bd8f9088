# frozen_string_literal: true

require "server"

class StreamTest < GatewayTest
  Codes = GRPC::Core::StatusCodes

  def completed(sequence)
    event(sequence, completed: V1::StreamCompleted.new(usage: V1::Usage.new(output_tokens: 2)))
  end

  def test_streams_text
    @gateway.script = lambda do |events, _|
      events << event(0, text_delta: "Hel") << event(1, text_delta: "lo") << completed(2)
    end
    stream = @client.stream("Hi")

    assert_equal %w[Hel lo], stream.each_text.to_a
    assert_equal 2, stream.completed.usage.output_tokens
    assert_equal "Hello", stream.partial.text
    assert_raises(ArgumentError) { stream.each { next } }
  end

  def test_a_broken_stream_never_looks_whole
    {
      DATA_LOSS: ->(events, _) { events << event(0, text_delta: "Hel") },
      ABORTED: lambda do |events, _|
        events << event(0, text_delta: "Hel")
        raise failed(Codes::UNAVAILABLE, message: "connection lost")
      end
    }.each do |code, script|
      @gateway.script = script
      stream = @client.stream("Hi")
      error = assert_raises(StreamBrokenError) { stream.collect_answer }

      assert_equal code, error.code
      assert_nil stream.completed
      assert_equal "Hel", stream.partial.text
    end
  end

  def test_a_lost_event_is_noticed
    @gateway.script = ->(events, _) { events << event(0, text_delta: "Hel") << completed(2) }

    assert_equal :DATA_LOSS, assert_raises(StreamBrokenError) { @client.stream("Hi").collect_answer }.code
  end

  def test_leaving_the_loop_cancels_the_call
    left = Queue.new
    @gateway.script = lambda do |events, _|
      sequence = -1
      loop { events << event(sequence += 1, text_delta: "x" * 1000) }
    ensure
      left << sequence
    end
    seen = @client.stream("Hi").each_text.first

    assert_equal "x" * 1000, seen
    assert_operator left.pop, :>=, 0
  end

  def test_a_deadline_is_the_callers_own
    gone = Queue.new
    @gateway.script = ->(_, _) { gone.pop }
    assert_raises(DeadlineExceededError) { @client.stream("Hi", timeout: 0.05).collect_answer }
    gone << true
  end
end
