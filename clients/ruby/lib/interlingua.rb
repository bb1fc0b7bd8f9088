# frozen_string_literal: true

# Client of the Interlingua LLM gateway: one contract between every service and every model.
module Interlingua
end

require "interlingua/version"
require "interlingua/errors"
require "interlingua/messages"
require "interlingua/results"
require "interlingua/client"
