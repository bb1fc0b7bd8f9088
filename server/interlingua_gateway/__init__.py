"""Interlingua: an LLM gateway whose front is gRPC."""
