"""The app, as the site knows it."""

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """The notes."""

    name = "my_service.notes"
