# frozen_string_literal: true

# Streams an answer of a gateway: ruby -Ilib examples/stream.rb [QUESTION ...]
require "interlingua"

question = ARGV.empty? ? "Why is the sky blue? Answer in one sentence." : ARGV.join(" ")
begin
  stream = Interlingua::Client.new.stream(question)
  stream.each_text { |text| print text }
  usage = stream.completed.usage
  puts "\n[#{usage.input_tokens} tokens in, #{usage.output_tokens} out]"
rescue Interlingua::Error => e
  abort "#{e.reason.empty? ? e.code : e.reason}: #{e.message}"
end
