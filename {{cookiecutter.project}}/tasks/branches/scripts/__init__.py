"""Python that runs in an environment of Pipfile.lock; nothing imports it."""
