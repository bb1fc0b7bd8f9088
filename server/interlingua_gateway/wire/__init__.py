"""The protocols that callers speak."""
