"""The services over any `SessionStore`."""
