"""The ground every app stands on (errors, inputs, middleware) and the roof over them (settings, urls, asgi)."""

__version__ = "0.1.0"
