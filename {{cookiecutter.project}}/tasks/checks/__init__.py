"""Checks that nox sessions make themselves, besides running tools."""
