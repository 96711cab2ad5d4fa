"""What the admin pages show of notes."""

from django.contrib import admin

from .models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    """The notes, with the time of each."""

    list_display = ("text", "written")
