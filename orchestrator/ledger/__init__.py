"""Ledgers: one interface, on Redis and in memory."""
