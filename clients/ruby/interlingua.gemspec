# frozen_string_literal: true

require_relative "lib/interlingua/version"

Gem::Specification.new do |spec|
  spec.name = "interlingua"
  spec.version = Interlingua::VERSION
  spec.summary = "Client of the Interlingua LLM gateway"
  spec.description = "Streams tokens of any model through one typed gRPC contract."
  spec.authors = ["The authors of Interlingua"]
  spec.required_ruby_version = ">= 3.1"
  spec.files = Dir["lib/**/*.{rb,json}"] + ["README.md"]
  spec.metadata["rubygems_mfa_required"] = "true"

  # The stubs are in the form of protobuf 3, which the gems of protobuf 4 no longer read.
  spec.add_dependency "googleapis-common-protos-types", ">= 1.4", "< 2"
  spec.add_dependency "google-protobuf", ">= 3.21", "< 4"
  spec.add_dependency "grpc", ">= 1.50", "< 2"
end
