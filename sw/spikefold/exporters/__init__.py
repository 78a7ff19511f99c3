"""Networks of this package in the formats of others."""
