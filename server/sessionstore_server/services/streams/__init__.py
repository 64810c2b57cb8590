"""Streams that append events, and pages and streams that read them."""
