"""The command line: `digest`. One file a command; each imports what it needs when it runs."""

from digest_pipeline.cli.app import main

__all__ = ["main"]
