"""Texts of this package's templates."""

from typing import Any

import jinja2


def filled(name: str, **values: Any) -> str:
    """A template with its values; a name that it lacks is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("spikefold.soc"),
        autoescape=False,  # Verilog, Tcl and YAML; XML is written by a library
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(values)
