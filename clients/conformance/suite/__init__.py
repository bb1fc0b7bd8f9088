"""The conformance harness: scenarios, the gateway they run against, and what must be observed."""
