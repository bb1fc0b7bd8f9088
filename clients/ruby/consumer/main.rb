# frozen_string_literal: true

require "interlingua"

client = Interlingua::Client.new # $INTERLINGUA_ADDRESS
client.stream("Hello!").each_text { |text| print text }
puts
