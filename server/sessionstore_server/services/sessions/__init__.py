"""Sessions as a whole, and what changes several kinds of their records at once."""
