"""The gateway as a library: the same core inside of a program, without gRPC."""
