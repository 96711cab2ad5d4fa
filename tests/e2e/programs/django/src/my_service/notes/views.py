"""The pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..runtime import release
from .models import Note


def index(request: HttpRequest) -> HttpResponse:
    """Answer with the list of notes."""
    shown = {"notes": Note.objects.order_by("written"), "release": release.current().release}
    return render(request, "notes/index.html", shown)
