"""Measurements of the project as its users run it. Nothing here is part of the package."""
