"""Endpoints: the doors of the accounts (Chrona), and people (KitsuTrail)."""
