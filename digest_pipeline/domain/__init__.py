"""Values and decisions, pure: no clock, no network, no database; `now` is always an argument."""
