"""What belongs to sessions, kind by kind."""
