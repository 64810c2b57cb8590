"""Other roads to the same handlers: many calls over one stream, large calls in pieces."""
