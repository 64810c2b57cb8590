"""The server: backends, services, the stores in process, and everything behind gRPC."""
