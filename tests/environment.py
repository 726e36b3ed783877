"""The environment of the suite, set before Django reads its settings (pyproject.toml: `-p tests.environment`).

DATABASE_URL and REDIS_URL choose what the suite runs on; `make test` runs it once for each.
"""

import atexit
import os
import shutil
import tempfile

if "WAYMARK_TEST_FOLDER" not in os.environ:  # workers inherit the folder of the process that started them
    os.environ["WAYMARK_TEST_FOLDER"] = tempfile.mkdtemp(prefix="waymark-tests-")
    atexit.register(shutil.rmtree, os.environ["WAYMARK_TEST_FOLDER"], ignore_errors=True)
folder = os.environ["WAYMARK_TEST_FOLDER"]
os.environ.update({"DEBUG": "1", "VAR_DIR": folder, "DEMO_FEED": "0", "ALLOWED_HOSTS": "*"})
os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/waymark.sqlite3")
os.environ.setdefault("REDIS_URL", "")
worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker and os.environ["REDIS_URL"]:  # each worker empties its own cache only
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{15 - int(worker[2:]) % 8}"
# Throttles would make tests depend on one another; those about throttles set their own limits.
os.environ.update({"LOGIN_RATE_PER_MINUTE": "100000"})
for name in ("REGISTER", "REFRESH"):
    os.environ[f"PUNCH_THROTTLE_{name}"] = "100000/60"
