"""Where bytes live: the interface and its implementations."""
