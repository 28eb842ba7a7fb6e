"""Settings of the reference project. Every value that differs between machines comes from the environment or `.env`.

Nothing secret has a default: without DJANGO_SECRET_KEY the commands work, but pages, which sign cookies, do not
start unless DJANGO_DEBUG is on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from clinic.environment import database, flag, load_dotenv, names

_ROOT = Path(__file__).resolve().parent.parent
#: The source tree, or, when the package is installed, the folder in which the command was called.
BASE_DIR = _ROOT if (_ROOT / "manage.py").is_file() else Path.cwd()
UNLADE_DOTENV = BASE_DIR / ".env"
load_dotenv(UNLADE_DOTENV)

#: Database, files and spool, as long as nobody names other places.
VAR = BASE_DIR / "var"

DEBUG = flag(os.environ.get("DJANGO_DEBUG"))
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or ("django-insecure-for-development-only" if DEBUG else "")
ALLOWED_HOSTS = names(os.environ.get("DJANGO_ALLOWED_HOSTS"))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "unlade.ledger",
    "clinic.patients",
    "clinic.images",
    "clinic.documents",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_url = os.environ.get("DATABASE_URL")
if not _url:
    # Patients' data lie here: the folder is its owner's alone.
    VAR.mkdir(mode=0o700, exist_ok=True)
    _url = f"sqlite:///{(VAR / 'clinic.sqlite3').as_posix()}"
DATABASES = {"default": database(_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

#: Defaults of this project for unlade's settings; environment and `.env` go before them.
UNLADE = {
    "UNLADE_STORE": (VAR / "store").as_uri(),
    "UNLADE_SPOOL": str(VAR / "spool"),
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

#: Notices go by mail where these are set.
EMAIL_HOST = os.environ.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = int(os.environ.get("EMAIL_PORT") or 25)
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = flag(os.environ.get("EMAIL_USE_TLS"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "unlade@localhost"

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
LOGIN_URL = "admin:login"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

if not DEBUG:
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 30 * 86400
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_REFERRER_POLICY = "same-origin"
    if flag(os.environ.get("DJANGO_BEHIND_PROXY")):
        # Only for a proxy that sets this header itself and drops a client's.
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_AGE = 12 * 3600

#: Other hosts under the clinic's domain, and its place in browsers' preload lists, are not for us to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
