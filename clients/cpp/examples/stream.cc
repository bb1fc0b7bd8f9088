// Streams an answer of a gateway: stream_example [QUESTION ...]
#include <interlingua/interlingua.h>

#include <iostream>

int main(int argc, char** argv) {
  std::string question;
  for (int at = 1; at < argc; ++at) question += (at > 1 ? " " : "") + std::string(argv[at]);
  if (question.empty()) question = "Why is the sky blue? Answer in one sentence.";
  try {
    const interlingua::Client client;
    auto stream = client.StreamGenerate(interlingua::Request("", interlingua::User(question)));
    for (const std::string_view text : stream.Text()) std::cout << text << std::flush;
    const auto& usage = stream.completed()->usage();
    std::cout << "\n[" << usage.input_tokens() << " tokens in, " << usage.output_tokens()
              << " out]\n";
  } catch (const interlingua::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
