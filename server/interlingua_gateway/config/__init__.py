"""Configuration: one frozen tree, read from YAML and the environment."""
