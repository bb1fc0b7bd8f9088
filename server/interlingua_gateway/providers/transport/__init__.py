"""How bytes travel: an owned HTTP/1.1 client that knows nothing of language models."""
