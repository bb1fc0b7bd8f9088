# frozen_string_literal: true

module Interlingua
  VERSION = "0.1.0"
end
