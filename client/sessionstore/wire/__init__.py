"""Pure functions between models, errors and protobuf."""
