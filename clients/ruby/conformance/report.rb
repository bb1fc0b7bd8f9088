# frozen_string_literal: true

require "base64"
require "json"
require "interlingua"

# What the runner reads and writes, see clients/conformance/README.md.
module Report
  module_function

  def encoded(message)
    Base64.strict_encode64(message.class.encode(message))
  end

  def decoded(type, scenario)
    type.decode(Base64.strict_decode64(scenario["request"] || ""))
  end

  # The message behind a view of it.
  def raw(view)
    view.__getobj__
  end

  def failure(error)
    {
      code: error.code, reason: error.reason, message: error.message,
      retry_after_ms: error.retry_after && (error.retry_after * 1000).round,
      violations: error.violations.map(&:to_h), resource: error.resource&.to_h, metadata: error.metadata
    }
  end

  def line(object)
    $stdout.puts(JSON.generate(object))
    $stdout.flush
  end
end
