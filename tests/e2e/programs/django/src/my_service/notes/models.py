"""What is kept of a note."""

from django.db import models


class Note(models.Model):
    """A note."""

    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        """Return the note's text, which the admin pages show."""
        return str(self.text)
