"""One settings file: the environment (and `.env`) with defaults that run; `.env.example` explains each name."""

import secrets
import time
from pathlib import Path

import environ

from config.generated import kept

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))


def secret(name: str, default: str = "") -> str:
    """What the environment says; with DEBUG=1 a missing value is made once and kept in `var/` (file 0600)."""
    value = env.str(name, default="")
    if not value and DEBUG:
        return kept(VAR_DIR / name.lower(), lambda: secrets.token_urlsafe(32))
    return value or default


def throttle_rules(name: str, default: str) -> list[tuple[int, int]]:
    """`count/seconds` rules joined by commas; with DEBUG=1 a plain 0 switches the throttle off."""
    text = env.str(name, default=default)
    if text == "0":
        text = "" if DEBUG else default
    return [(int(count), int(seconds)) for count, seconds in (r.split("/") for r in text.split(",") if r)]


# --- Django ---------------------------------------------------------------------------------------------------
SECRET_KEY = secret("SECRET_KEY", default="unset")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
AUTH_USER_MODEL = "identity.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # both spellings answer without a redirect: config.middleware.BothSpellings
WEB_THREADS = env.int("WEB_THREADS", default=4)

INSTALLED_APPS = [
    "daphne",
    "config.apps.ConfigConfig",
    "identity.apps.IdentityConfig",
    "activity.apps.ActivityConfig",
    "traffic.apps.TrafficConfig",
    "punch.apps.PunchConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "config.middleware.RequestIds",
    "config.middleware.SecurityHeaders",
    "traffic.middleware.OpenDoor",
    "config.middleware.CrossOrigin",
    "config.middleware.BodyLimit",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.BothSpellings",
    "config.middleware.CsrfCookie",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "identity.middleware.LiveSignIn",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "identity.context.shell",
            ],
        },
    },
]

# --- Data -----------------------------------------------------------------------------------------------------
# Names of other frameworks' drivers are understood, so that an existing environment file keeps working.
_database_url = env.str("DATABASE_URL", default=f"sqlite:///{VAR_DIR}/waymark.sqlite3")
for _foreign, _ours in (("postgresql+asyncpg:", "postgresql:"), ("sqlite+aiosqlite:", "sqlite:")):
    _database_url = _database_url.replace(_foreign, _ours, 1)
DATABASES = {"default": env.db_url_config(_database_url)}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    if DATABASES["default"]["NAME"] != ":memory:":
        Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;",
    }
    # A file, because a database in memory cannot be shared by parallel connections.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    # A database that cannot be reached is found out in seconds; /health has to say so.
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # usernames are unique without regard to case: User.username_key
    "security.W002",  # config.middleware.SecurityHeaders forbids framing
]

# --- People, tokens, keys -------------------------------------------------------------------------------------
PASSWORD_HASHERS = ["identity.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTHENTICATION_BACKENDS = ["identity.backends.RoleBackend"]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
ALLOW_REGISTRATION = env.bool("ALLOW_REGISTRATION", default=DEBUG)
LOGIN_RATE_PER_MINUTE = env.int("LOGIN_RATE_PER_MINUTE", default=30)
LOGIN_LOCK_FAILURES = env.int("LOGIN_LOCK_FAILURES", default=10)
LOGIN_LOCK_MINUTES = env.int("LOGIN_LOCK_MINUTES", default=15)
THROTTLES = {
    name: throttle_rules(f"PUNCH_THROTTLE_{name}", default)
    for name, default in {"REGISTER": "30/3600", "REFRESH": "60/60"}.items()
}

ACCESS_TOKEN_EXPIRE_MINUTES = env.int("ACCESS_TOKEN_EXPIRE_MINUTES", default=60)
REFRESH_TOKEN_EXPIRE_DAYS = env.int("REFRESH_TOKEN_EXPIRE_DAYS", default=14)
EPHEMERAL_TOKEN_EXPIRE_SECONDS = env.int("EPHEMERAL_TOKEN_EXPIRE_SECONDS", default=30)
JWT_ALGORITHM = env.str("ALGORITHM", default="RS256")
SIMPLE_JWT = {"TOKEN_TYPE_CLAIM": "typ"}
MAKE_MISSING_KEYS = DEBUG  # key files, at their first use
JWT_PRIVATE_KEY_PATH = Path(env.str("JWT_PRIVATE_KEY_PATH", default=str(VAR_DIR / "jwt_private_key.pem")))
JWT_PUBLIC_KEY_PATH = Path(env.str("JWT_PUBLIC_KEY_PATH", default=str(VAR_DIR / "jwt_public_key.pem")))
PII_ENCRYPTION_KEYS = [key for key in secret("PII_ENCRYPTION_KEYS").split(",") if key]
PII_INDEX_KEYS = [key for key in secret("PII_INDEX_KEYS").split(",") if key]
TRAIL_SIGNING_KEY_PATH = Path(
    env.str("TRAIL_SIGNING_KEY_PATH", default=str(VAR_DIR / "trail_signing_key.pem"))
)

# Clients of these networks may use the KitsuTrail routes without credentials, with the rights of this role.
ACTIVITY_GUEST_NETWORKS = env.list("ACTIVITY_GUEST_NETWORKS", default=[])
ACTIVITY_GUEST_ROLE = env.str("ACTIVITY_GUEST_ROLE", default="auditor")

TRAIL_TRUSTED_KEYS = env.list("TRAIL_TRUSTED_KEYS", default=[])  # old public keys, base64 of their 32 bytes
TRAIL_SEAL_SECONDS = env.int("TRAIL_SEAL_SECONDS", default=60)

# Dotted names of functions called with each new row of the trail inside its transaction.
TRAIL_INDEXES: list[str] = ["punch.audit.index"]
# Dotted names of functions that add to a person's timeline what is no row of the trail (activity.queries.timeline).
TIMELINE_SOURCES: list[str] = ["traffic.queries.visits_of_person"]

DEMO_PASSWORD = secret("DEMO_PASSWORD")
DEMO_FEED = env.str("DEMO_FEED", default="0")

# --- Punch ----------------------------------------------------------------------------------------------------
MAX_ACTIVE_DEVICES_PER_USER = env.int("MAX_ACTIVE_DEVICES_PER_USER", default=5)
PUNCH_TIME_ZONE = env.str("PUNCH_TIME_ZONE", default="UTC" if DEMO_FEED in ("", "0") else "Europe/Paris")
PUNCH_MAX_SHIFT_HOURS = env.int("PUNCH_MAX_SHIFT_HOURS", default=16)
PUNCH_DOUBLE_SCAN_SECONDS = env.int("PUNCH_DOUBLE_SCAN_SECONDS", default=120)
PUNCH_WEB_DEVICES = env.bool("PUNCH_WEB_DEVICES", default=True)
API_URL = env.str("API_URL", default="")
PUNCH_THROTTLES = {
    name: throttle_rules(f"PUNCH_THROTTLE_{name}", default)
    for name, default in {
        "QR": "8/10,30/60",
        "VALIDATE": "600/60",
        "HEARTBEAT": "30/60",
        "BAD_KEY": "30/60",
    }.items()
}

# --- Traffic --------------------------------------------------------------------------------------------------
# `serve` hands its start to its processes; the clock is one for the whole machine.
SERVING_SINCE = env.float("SERVING_SINCE", default=time.monotonic())
VISIT_RATE = env.int("VISIT_RATE", default=600)  # visits a minute and client address; 0 switches it off
VISIT_RATE_EXEMPT = env.list("VISIT_RATE_EXEMPT", default=["127.0.0.0/8", "::1/128"])
VISIT_MAX_SITES = env.int("VISIT_MAX_SITES", default=100)
VISIT_IP = env.str("VISIT_IP", default="full")  # what is kept of an address: full, prefix, none
VISIT_ANONYMISE_DAYS = env.int("VISIT_ANONYMISE_DAYS", default=30)
VISIT_KEEP_DAYS = env.int("VISIT_KEEP_DAYS", default=395)

# --- HTTP -----------------------------------------------------------------------------------------------------
CSRF_COOKIE_NAME = "XSRF-TOKEN"
CSRF_HEADER_NAME = "HTTP_X_XSRF_TOKEN"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = REFRESH_TOKEN_EXPIRE_DAYS * 86400
HTTPS = env.bool("HTTPS", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=HTTPS)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REDIRECT_EXEMPT = [r"^health"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
ALLOWED_ORIGINS = env.list(
    "ALLOWED_ORIGINS",
    default=["http://localhost:3000", "http://localhost:5173", "http://localhost:5174"] if DEBUG else [],
)
WS_ALLOWED_ORIGINS = env.list("WS_ALLOWED_ORIGINS", default=[*ALLOWED_ORIGINS, *CSRF_TRUSTED_ORIGINS])
ALLOW_CREDENTIALS = env.bool("ALLOW_CREDENTIALS", default=True)
ALLOWED_METHODS = env.list("ALLOWED_METHODS", default=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
ALLOWED_HEADERS = env.list(
    "ALLOWED_HEADERS",
    default=["authorization", "content-type", "x-kiosk-api-key", "x-xsrf-token", "x-request-id"],
)
PUNCH_JSON_ROOTS = [
    f"/admin/{name}"
    for name in [
        "ping",
        "users",
        "devices",
        "kiosks",
        "hr-codes",
        "audit-logs",
        "punches",
        "dashboard",
        "reports",
    ]
] + ["/auth/", "/devices/", "/punch/", "/kiosk/"]
BODY_LIMITS = [
    ("/visits", 2_097_152),
    ("/visit", 16_384),
    ("/api/v1/", 1_048_576),
    *((f"{prefix}{root}", 65_536) for prefix in ("", "/api") for root in PUNCH_JSON_ROOTS),
    ("/", 2_621_440),
]
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # config.middleware.BodyLimit answers 413 before a body is read
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static")))
if DEBUG:
    STATIC_ROOT.mkdir(
        parents=True, exist_ok=True
    )  # whitenoise warns about a missing one, although it is unused
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- API ------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "identity.authentication.AccessTokenAuthentication",
        "identity.authentication.PageSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": ["config.inputs.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.negotiation.JSONUnlessBrowser",
    "DEFAULT_SCHEMA_CLASS": "config.schema.WaymarkSchema",
    "EXCEPTION_HANDLER": "config.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Waymark",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "deepLinking": True},
    "PREPROCESSING_HOOKS": ["config.schema.without_aliases"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.schema.describe_dialects",
    ],
}

# --- Words and times ------------------------------------------------------------------------------------------
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
EMAIL_URL = env.str("EMAIL_URL", default="consolemail://")
vars().update(env.email_url_config(EMAIL_URL))

LOG_FORMAT = env.str("LOG_FORMAT", default="console")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request": {"()": "config.logs.WithRequest"}},
    "formatters": {
        "console": {
            "format": "{asctime} {levelname:<7} {name} {message} [{request_id}]",
            "style": "{",
            "datefmt": "%H:%M:%S",
        },
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{name}{message}{request_id}",
            "style": "{",
            "rename_fields": {"asctime": "time", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request"]}
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},  # tracebacks of defects; RequestIds writes one line a request
        "django.server": {"level": "WARNING"},
    },
}
