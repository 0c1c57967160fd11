"""Other libraries: thin adapters, each imported only when asked for."""
