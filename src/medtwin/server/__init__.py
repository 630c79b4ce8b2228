"""The twin API, live events and the static page."""
