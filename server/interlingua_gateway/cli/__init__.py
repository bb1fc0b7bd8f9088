"""The command line: `interlingua serve`, `call`, `chat` and the rest."""
