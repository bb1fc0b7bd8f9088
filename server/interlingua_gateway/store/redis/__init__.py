"""What several gateways share through one Redis."""
