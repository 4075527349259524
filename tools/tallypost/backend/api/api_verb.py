"""`tallypost api`: serves the counts of a city by HTTP. It only reads the database."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tallypost import console
from tallypost.backend.figures.records import Records
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.sites import site


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--database", "--db", type=Path, default=Path("tallypost.sqlite"), metavar=_("FILE"),
        help=_("the file of tallypost listen (default: tallypost.sqlite)"),
    )  # fmt: skip
    add("--sites", type=Path, required=True, metavar=_("FILE"), help=_("TOML file of the sites"))
    add("--host", default="127.0.0.1", metavar="HOST", help=_("address (default: 127.0.0.1)"))
    add("--port", type=int, default=8080, metavar=_("PORT"), help=_("port (default: 8080)"))
    add("--openapi", action="store_true", help=_("print the OpenAPI 3.1 document and end"))


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises ToolError."""
    import uvicorn  # takes half a second, as the app does

    from tallypost.backend.api.app import create_app

    city = site.load(args.sites)
    app = create_app(city, lambda: Records(args.database))
    if args.openapi:
        sys.stdout.write(json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n")
        return 0
    Records(args.database).close()
    console.note(_("serving http://{host}:{port}/v1/sites").format(host=args.host, port=args.port))
    try:
        uvicorn.run(app, host=args.host, port=args.port, log_level="warning", access_log=False)
    except OSError as error:
        raise ToolError(os_reason(error), _("Name another port with --port.")) from error
    return 0
