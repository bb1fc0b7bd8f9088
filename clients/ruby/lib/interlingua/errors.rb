# frozen_string_literal: true

require "grpc"
require "google/protobuf/well_known_types"
require "google/rpc/error_details_pb"
require "google/rpc/status_pb"

module Interlingua
  # One thing that stood in the way of a call: the path of a field (`messages[0].role`), the subject of
  # a quota or that of a precondition, and what is wrong with it.
  Violation = Struct.new(:subject, :description)

  # What an error is about, such as type `model` and name `gpt`.
  Resource = Struct.new(:type, :name)

  # A call that failed; rescue this to rescue every failure that the gateway or gRPC reports.
  #
  # `code` is the name of the gRPC status code (`:UNAVAILABLE`), `reason` that of a value of the
  # contract's ErrorReason (`"ERROR_REASON_RATE_LIMITED"`, empty if the failure did not come from the
  # gateway), `retry_after` the seconds that the gateway asks to wait, nil if it names none.
  class Error < StandardError
    attr_reader :code, :reason, :metadata, :retry_after, :violations, :resource

    def initialize(message, code: :UNKNOWN, status: nil)
      super(message)
      @code = code
      @reason = ""
      @metadata = {}
      @violations = []
      read(status) if status
    end

    # The gateway's name for the call; empty if the call did not reach it.
    def operation_id
      metadata.fetch("operation_id", "")
    end

    private

    def read(status)
      details = status.details.filter_map { |packed| Errors.unpacked(packed) }
      details.each { |detail| read_detail(detail) }
    end

    def read_detail(detail)
      case detail
      when Google::Rpc::ErrorInfo
        @reason = detail.reason
        @metadata = detail.metadata.to_h
      when Google::Rpc::RetryInfo then @retry_after = Errors.seconds(detail.retry_delay)
      when Google::Rpc::ResourceInfo
        @resource = Resource.new(detail.resource_type, detail.resource_name)
      when Google::Rpc::BadRequest
        @violations += detail.field_violations.map { |one| Violation.new(one.field, one.description) }
      else
        @violations += detail.violations.map { |one| Violation.new(one.subject, one.description) }
      end
    end
  end

  # The request contradicts the contract or the model cannot honour it; see `violations`.
  class InvalidRequestError < Error; end

  # No credentials were sent, or they are wrong, expired or revoked.
  class AuthenticationError < Error; end

  # The credentials do not allow the call.
  class PermissionDeniedError < Error; end

  # There is no such model or other resource; see `resource`.
  class NotFoundError < Error; end

  # A rate limit of yours, a full queue or a busy gateway; `retry_after` says how long.
  class RateLimitedError < Error; end

  # The budget is spent; the same call fails again until the budget changes.
  class BudgetExceededError < Error; end

  # A guardrail of the gateway or the provider's content filter refused the call.
  class GuardrailError < Error; end

  # The gateway could not be reached, or none of the model's providers could answer.
  class UnavailableError < Error; end

  # The time given to the call is spent; `metadata["phase"]` may say on what.
  class DeadlineExceededError < Error; end

  # A stream ended before its answer was whole; what came before is valid but not complete.
  class StreamBrokenError < Error; end

  # The call was cancelled, or its stream left, before it ended.
  class CancelledError < Error; end

  # This gateway does not have the method, or is not configured for it.
  class UnimplementedError < Error; end

  # A fault of the gateway; its log has more under `operation_id`.
  class InternalError < Error; end

  # Turns gRPC's errors into this module's.
  module Errors
    CODES = GRPC::Core::StatusCodes.constants.to_h do |name|
      [GRPC::Core::StatusCodes.const_get(name), name]
    end.freeze
    KINDS = {
      CANCELLED: CancelledError,
      UNKNOWN: InternalError,
      INVALID_ARGUMENT: InvalidRequestError,
      OUT_OF_RANGE: InvalidRequestError,
      DEADLINE_EXCEEDED: DeadlineExceededError,
      NOT_FOUND: NotFoundError,
      PERMISSION_DENIED: PermissionDeniedError,
      UNAUTHENTICATED: AuthenticationError,
      FAILED_PRECONDITION: GuardrailError,
      ABORTED: StreamBrokenError,
      UNIMPLEMENTED: UnimplementedError,
      INTERNAL: InternalError,
      DATA_LOSS: InternalError,
      UNAVAILABLE: UnavailableError
    }.freeze
    DETAILS = [
      Google::Rpc::ErrorInfo, Google::Rpc::RetryInfo, Google::Rpc::ResourceInfo, Google::Rpc::BadRequest,
      Google::Rpc::QuotaFailure, Google::Rpc::PreconditionFailure
    ].to_h { |type| [type.descriptor.name, type] }.freeze
    STATUS_KEY = "grpc-status-details-bin"

    module_function

    # The error for what gRPC raised.
    def from_grpc(error)
      bytes = error.metadata[STATUS_KEY]
      build(error.code, error.details.to_s, bytes && parsed(bytes))
    end

    # The error for a batch of operations that gRPC could not start: it does so where a call has ended
    # while its first message was waited for.
    def from_call_error(error, deadline, cancelled:)
      return CancelledError.new("the call was cancelled", code: :CANCELLED) if cancelled
      return UnavailableError.new(error.message, code: :UNAVAILABLE) if Time.now < deadline

      DeadlineExceededError.new("the deadline was spent", code: :DEADLINE_EXCEEDED)
    end

    # The error for a status that came inside a message, such as that of a batch's item.
    def from_status(status)
      build(status.code, status.message, status)
    end

    # What `error` means once a stream has begun: a connection that is lost then must not look like a
    # call that can simply be sent again.
    def cut_off(error)
      kept = !error.reason.empty? || %i[CANCELLED DEADLINE_EXCEEDED DATA_LOSS].include?(error.code)
      kept ? error : StreamBrokenError.new(error.message, code: :ABORTED)
    end

    def unpacked(packed)
      type = DETAILS[packed.type_name]
      type&.decode(packed.value)
    rescue Google::Protobuf::ParseError
      nil
    end

    def seconds(duration)
      duration.seconds + (duration.nanos / 1e9)
    end

    def build(number, message, status)
      code = CODES.fetch(number, :UNKNOWN)
      return exhausted(message, status) if code == :RESOURCE_EXHAUSTED

      KINDS.fetch(code, Error).new(message, code:, status:)
    end

    # A limit of the gateway; without an ErrorInfo one of gRPC itself, such as a message's size.
    def exhausted(message, status)
      plain = Error.new(message, code: :RESOURCE_EXHAUSTED, status:)
      return plain if plain.reason.empty?

      kind = plain.reason == "ERROR_REASON_BUDGET_EXCEEDED" ? BudgetExceededError : RateLimitedError
      kind.new(message, code: :RESOURCE_EXHAUSTED, status:)
    end

    def parsed(bytes)
      Google::Rpc::Status.decode(bytes)
    rescue Google::Protobuf::ParseError
      nil
    end
  end
end
