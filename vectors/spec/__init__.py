"""The pages of docs/spec in Python, one module a subject."""
