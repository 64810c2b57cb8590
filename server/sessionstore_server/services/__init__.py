"""The domain rules, on protobuf messages: one module per resource."""
