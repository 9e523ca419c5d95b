"""What an instance's environment makes of google.auth: nothing asks Google, nothing complains."""

import subprocess
import sys
from pathlib import Path

from gpupipe.localcloud.runner.environment import Place, environment_of
from gpupipe.localcloud.runner.revision import Program, RunnableRevision

# The library's own question, over a session that would try three times, with all that is logged.
ASKS = """
import logging
logging.basicConfig(level=logging.INFO)
import requests
from google.auth import exceptions
from google.auth.compute_engine import Credentials
from google.auth.transport.requests import Request
credentials = Credentials(service_account_email="a@p.iam.gserviceaccount.com")
credentials.token = "secret"
session = requests.Session()
session.mount("https://", requests.adapters.HTTPAdapter(max_retries=3))
try:
    credentials._lookup_regional_access_boundary(Request(session))
except exceptions.TransportError as error:
    print("refused:", error)
"""


def test_the_question_where_an_account_may_be_used_ends_in_the_process(tmp_path: Path) -> None:
    program = Program(tmp_path, ("python",))
    revision = RunnableRevision("p", 1, "us-central1", "svc", "svc-1", "a@p", program)
    place = Place(8080, "s" * 32, tmp_path, "http://127.0.0.1:9")
    asked = subprocess.run(
        [sys.executable, "-c", ASKS],
        env=environment_of(revision, place),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert asked.stdout.startswith("refused: Please check proxy URL")
    assert asked.stderr == ""  # no connection was begun, so none was tried again
