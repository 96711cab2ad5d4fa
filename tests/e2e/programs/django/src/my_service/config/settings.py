"""Django's settings. What differs from machine to machine comes from the environment."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

DATA = Path(os.environ.get("STATE_DIRECTORY", "build/data")).absolute()
"""Where the site may write: the service's data folder on machines."""

DEBUG = os.environ.get("DJANGO_DEBUG", "") == "1"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost 127.0.0.1 [::1]").split()
CSRF_TRUSTED_ORIGINS = os.environ.get("DJANGO_TRUSTED_ORIGINS", "").split()


def _secret_key() -> str:
    """Return the key of this installation, which is made when it is first needed."""
    path = DATA / "secret_key"
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        new = DATA / f"secret_key.{os.getpid()}"
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(50))
        with suppress(FileExistsError):  # another process was faster
            path.hardlink_to(new)
        new.unlink()
    return path.read_text()


SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or _secret_key()

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "db.sqlite3",
        # The old and the new release use it at the same time during a switch.
        "OPTIONS": {"timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "my_service.notes",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "my_service.config.urls"
WSGI_APPLICATION = "my_service.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

STATIC_URL = "static/"
STATIC_ROOT = os.environ.get("DJANGO_STATIC_ROOT")
"""Where collectstatic puts static files for a web server in front; nothing else needs them."""
WHITENOISE_USE_FINDERS = True  # each release serves the files that are in it

TIME_ZONE = "UTC"
USE_TZ = True
LOGGING_CONFIG = None  # the runtime has set up the logs
