"""The contestants: what keeps conversations, ours, the bare echo and those of others."""
