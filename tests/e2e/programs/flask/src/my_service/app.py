"""The app, and its commands."""

from flask import Flask
from flask.cli import FlaskGroup

from . import catalogue
from .runtime import release


def create_app() -> Flask:
    """Return the app."""
    app = Flask(__name__)
    app.config.from_prefixed_env()
    app.register_blueprint(catalogue.blueprint)

    @app.context_processor
    def shown_everywhere() -> dict[str, str]:
        return {"release": release.current().release}

    return app


app = create_app()
commands = FlaskGroup(create_app=create_app)
