"""How the gateway speaks to models: dialects, the transport under them, and the providers."""
