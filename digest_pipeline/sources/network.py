"""What every source has to know about the network it stands in. No request is made here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
"""Where tools look for a company's own certificate authorities, in the order in which they count here."""


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """The file of certificate authorities to trust; None where the environment names none.

    Each tool reads a variable of its own, and whoever set one of them means all: a proxy that signs anew
    does so for git and for HTTP alike. A folder (requests allows one) is passed over, since git takes files
    only; a file that does not exist is not, so that the mistake shows.
    """
    named = (environ.get(name, "") for name in CA_VARIABLES)
    return next((value for value in named if value and not Path(value).is_dir()), None)
