"""The pages of the catalogue, and its command."""

from flask import Blueprint, abort, render_template

from .data import Part, parts

blueprint = Blueprint(
    "catalogue",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/catalogue/static",
)


@blueprint.get("/")
def index() -> str:
    """Answer with the page of all parts."""
    return render_template("catalogue/index.html", parts=parts())


@blueprint.get("/parts/<int:number>")
def part(number: int) -> Part:
    """Answer with one part as JSON."""
    found = [each for each in parts() if each["number"] == number]
    return found[0] if found else abort(404)


@blueprint.cli.command("count")
def count() -> None:
    """Print how many parts there are."""
    print(f"{len(parts())} parts")
