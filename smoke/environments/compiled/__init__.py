"""Packages that an environment needs and no index has for this platform: compiled here."""
