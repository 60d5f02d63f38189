"""Tests of the client against the real service and a real browser."""
