"""`vggnet serve`: the explorer, a page that shows networks at work, and what programs can ask.

In: a model, and where to listen. Out: answers over HTTP until Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import click

from vggnet.cli.model_options import ModelChoice, model_options
from vggnet.cli.options import Whole, command
from vggnet.cli.output import note


@command(
    "vggnet serve                          # then open http://127.0.0.1:8000",
    "vggnet serve --weights vgg16 --precision bf16 --port 8080",
    "curl -s --data-binary @cat.jpg -H 'Content-Type: image/jpeg' \\\n"
    "      'http://127.0.0.1:8000/api/predict?top=3'",
)
@click.option("--port", type=Whole(0, 65535), default=8000, help="Port; 0 for one that is free.")
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1",
    help="Where to listen. By default only this machine reaches it.",
)  # fmt: skip
@click.option(
    "--token", metavar="TOKEN", envvar="VGGNET_TOKEN",
    help="Answer only who gives it (Authorization: Bearer TOKEN). In the environment as "
    "VGGNET_TOKEN no list of processes shows it.",
)  # fmt: skip
@click.option(
    "--allow-host", "hosts", metavar="NAME", multiple=True,
    help="Answer only under this name of the server, as vgg.example.org, besides those of this "
    "machine alone, that of --host and those of --allow-origin; may be given again. By default "
    "under any where other machines reach it.",
)  # fmt: skip
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True,
    help="Let pages of this origin ask, as https://example.org; may be given again.",
)  # fmt: skip
@model_options
def serve(
    port: int,
    host: str,
    token: str | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    choice: ModelChoice,
) -> int:
    """Show networks at work in a browser, and answer programs.

    One page on which any network can be seen and changed, with its costs and receptive fields, and
    a photograph of your own with the answers, the maps of every layer and what made the network say
    so. /openapi.json lists what programs can ask for.
    """
    try:
        from vggnet.web.endpoint import Service
        from vggnet.web.server import access_to, is_loopback, leave_threads, listen
        from vggnet.web.server import serve as serve_on
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("vggnet"):
            raise
        raise ValueError(f"vggnet serve needs {error.name}: pip install 'vggnet[web]'") from None
    if token is not None and not (token and token.isascii() and token.isprintable()
                                  and " " not in token):  # fmt: skip
        raise ValueError("--token: give printable ASCII characters without blanks")
    for name in hosts:
        # An IPv6 address stands in brackets, as in an address of the web.
        if not re.fullmatch(r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]", name):
            raise ValueError(
                f"--allow-host {name}: give a name without scheme and port, as vgg.example.org"
            )
    for origin in origins:
        scheme, _, rest = origin.partition("://")
        if origin != "*" and (scheme not in ("http", "https") or not rest or "/" in rest):
            raise ValueError(
                f"--allow-origin {origin}: give scheme and host, as https://example.org"
            )
    with listen(host, port) as listening:
        model = choice.load()
        service = Service(model, PurePath(choice.weights).name or choice.weights)
        shown, at = f"[{host}]" if ":" in host else host, listening.getsockname()[1]

        def started() -> None:
            key = "/?token=..." if token else ""
            note(f"{service.name} ({model.engine.name}, {model.engine.precision}) at "
                 f"http://{shown}:{at}{key}; Ctrl-C stops")  # fmt: skip

        if not is_loopback(listening):
            note("other machines can reach this server" + ("" if token else
                 ", and whoever does may use it: --token keeps others out"))  # fmt: skip
        access = access_to(listening, host, token, origins, hosts)
        ended_by = serve_on(service, listening, access, started)
    status = 128 + ended_by if ended_by else 0
    leave_threads(service, status)
    return status
