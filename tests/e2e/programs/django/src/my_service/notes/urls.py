"""The paths of the notes."""

from django.urls import path

from . import views

urlpatterns = [path("", views.index, name="index")]
