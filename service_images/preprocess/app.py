"""The preprocess application and its settings."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

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
from preprocess.limits import Limits, read_limits
from preprocess.stage import Stage, parse_request

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings."""

    service: ServiceSettings
    limits: Limits


def read_settings(environment: Environment) -> Settings:
    """From the environment. Raises SettingError."""
    service = service_settings(environment, "preprocess")
    required(service.work_bucket, "WORK_BUCKET")
    return Settings(service, read_limits(environment))


def create_app(settings: Settings, open_store: Callable[[], Store], clock: Clock) -> Starlette:
    """The application; `open_store` runs in a thread after the port is bound."""
    service = settings.service
    startup = Startup(open_store)

    async def preprocess(body: Fields) -> JsonObject:
        key, execution_id = parse_request(body)
        bind_log(execution_id, key)
        stage = Stage(startup.value(), service.work_bucket, settings.limits, clock)
        answer = await to_thread.run_sync(stage.run, key)
        fields = {name: answer.get(name) for name in ("superseded", "items", "timings_ms")}
        _log.info("preprocessed", extra={"fields": fields})
        return answer

    app = create_service(
        service.service,
        startup,
        [JsonRoute("/preprocess", preprocess, service.project)],
    )
    app.state.startup = startup
    return app
