"""`python -m digest_pipeline` is `digest`."""

from digest_pipeline.cli import main

main()
