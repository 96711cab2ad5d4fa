"""The site: its settings, its paths, and the app that is served."""
