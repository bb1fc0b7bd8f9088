"""The vocabulary of the gateway: data, protocols, errors and time, with no I/O of its own."""
