#include <interlingua/interlingua.h>

#include <iostream>

int main() {
  const interlingua::Client client;  // $INTERLINGUA_ADDRESS
  auto stream = client.StreamGenerate(interlingua::Request("", interlingua::User("Hello!")));
  for (const std::string_view text : stream.Text()) std::cout << text << std::flush;
  std::cout << '\n';
}
