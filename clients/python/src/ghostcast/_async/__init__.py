"""The asynchronous client. The blocking one in `_sync` is generated from it."""
