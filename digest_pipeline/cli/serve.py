"""`digest serve`: the site on this machine, for whoever has no web server at hand."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Annotated

import typer

from digest_pipeline.cli.output import Config, Quiet, Verbose, result_line, say


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 for any that is free.")
    ] = 8000,
    config: Config = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve the site, built first where there is none. Stop with Ctrl-C. Prints its address."""
    del quiet, verbose
    from digest_pipeline.cli.server import listen
    from digest_pipeline.cli.site import build
    from digest_pipeline.pipeline.site_state import built, site_folder
    from digest_pipeline.settings import Settings

    settings = Settings.load(config)
    folder = site_folder(settings)
    with listen(folder, host, port) as server:
        if built(folder) is None:
            build(settings)
        # What a shell started in the background ignores Ctrl-C, and nothing could stop it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        shown = f"[{host}]" if ":" in host else host
        result_line(f"http://{shown}:{server.server_address[1]}/")
        say(f"serving {folder}; Ctrl-C stops")
        # Nothing was begun that could be gone on with: stopping is how it ends.
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
