"""Pages from stored rows. Rendering knows the domain and nothing else: no store, no clock, no network."""
