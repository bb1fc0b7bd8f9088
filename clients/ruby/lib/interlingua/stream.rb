# frozen_string_literal: true

module Interlingua
  # A streamed answer: an Enumerable of the contract's events as they come, for one pass.
  #
  # The loop ends quietly only after the whole answer; otherwise it raises what went wrong, whatever came
  # before. Leaving the loop (break, an exception) cancels the call at once, in the gateway and at the
  # provider; `cancel` does so from another thread.
  class Stream
    include Enumerable

    def initialize(operation, cancellation = nil)
      @operation = operation
      @cancellation = cancellation
      @cancelled = false
      @assembly = Assembly.new
      @next = 0
      @completed = nil
      @begun = false
    end

    # What the whole call used, cost and met on its way; nil before its end.
    attr_reader :completed

    def each(&block)
      return enum_for(:each) unless block
      raise ArgumentError, "a stream is read once" if @begun

      @begun = true
      @cancellation&.add(self)
      read(&block)
      self
    end

    # The text of one candidate as it comes; without a block an Enumerator.
    def each_text(candidate = 0)
      return enum_for(:each_text, candidate) unless block_given?

      each do |event|
        yield event.text_delta if event.candidate_index == candidate && event.event == :text_delta
      end
    end

    # Reads to the end and returns the whole answer.
    def collect_answer
      each { next }
      @assembly.answer
    end

    # The answer as far as it has been read, whole or not.
    def partial
      @assembly.answer
    end

    # Ends the call at once.
    def cancel
      @cancelled = true
      @operation.cancel
    end

    private

    def read
      ended = false
      @operation.execute.each do |event|
        add(event)
        yield event
      end
      ended = true
      raise lost("the stream ended without its last event") unless @completed
    rescue GRPC::BadStatus => e
      raise broken(Errors.from_grpc(e))
    rescue GRPC::Core::CallError => e
      raise broken(Errors.from_call_error(e, @operation.deadline, cancelled: @cancelled))
    ensure
      @cancellation&.remove(self)
      @operation.cancel unless ended
    end

    def add(event)
      raise lost("an event was lost") if event.sequence != @next || @completed

      @next += 1
      @assembly.add(event)
      @completed = event.completed if event.event == :completed
    end

    def broken(error)
      @completed = nil
      @next.zero? ? error : Errors.cut_off(error)
    end

    def lost(message)
      @completed = nil
      StreamBrokenError.new(message, code: :DATA_LOSS)
    end
  end
end
