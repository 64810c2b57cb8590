"""Generated messages and gRPC stubs of `sessionstore.v1`; `protos/generate.py` writes them."""
