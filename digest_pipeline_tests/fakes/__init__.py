"""Stand-ins for what the pipeline talks to, on loopback, and builders for what it reads."""
