"""The postprocess application and its settings."""

import logging
from collections.abc import Callable

from anyio import to_thread
from starlette.applications import Starlette

from common.clock import Clock
from common.fields import Fields
from common.objects import bind_log
from common.problems import JsonObject
from common.settings import Environment, ServiceSettings, required, service_settings
from common.startup import Startup
from common.store import Store
from common.web import JsonRoute, create_service
from postprocess.failure import FailureWriter, parse_fail_request
from postprocess.result import Postprocessor, parse_result_request

_log = logging.getLogger(__name__)


def read_settings(environment: Environment) -> ServiceSettings:
    """From the environment. Raises SettingError."""
    settings = service_settings(environment, "postprocess")
    required(settings.output_bucket, "OUTPUT_BUCKET")
    return settings


def create_app(
    settings: ServiceSettings, open_store: Callable[[], Store], clock: Clock
) -> Starlette:
    """The application; `open_store` runs in a thread after the port is bound."""
    startup = Startup(open_store)

    async def postprocess(body: Fields) -> JsonObject:
        request = parse_result_request(body)
        bind_log(request.execution_id, request.source)
        work = Postprocessor(startup.value(), settings.output_bucket, clock)
        answer = await to_thread.run_sync(work.run, request)
        fields = {name: answer[name] for name in ("output_file", "summary", "timings_ms")}
        _log.info("postprocessed", extra={"fields": fields})
        return answer

    async def fail(body: Fields) -> JsonObject:
        request = parse_fail_request(body)
        bind_log(request.execution_id, request.source)
        work = FailureWriter(startup.value(), settings.output_bucket, clock)
        answer = await to_thread.run_sync(work.run, request)
        fields = {"stage": request.stage, "error_class": request.error_class, **answer}
        _log.info("failure recorded", extra={"fields": fields})
        return answer

    app = create_service(
        settings.service,
        startup,
        [
            JsonRoute("/postprocess", postprocess, settings.project),
            JsonRoute("/fail", fail, settings.project),
        ],
    )
    app.state.startup = startup
    return app
