"""The way from a model alias to an answer."""
