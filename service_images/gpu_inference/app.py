"""The gpu-inference application and its settings."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from starlette.applications import Starlette

from common.clock import Clock
from common.fields import Fields
from common.objects import bind_log
from common.problems import Blame, JsonObject, ProblemError
from common.settings import Environment, ServiceSettings, service_settings
from common.startup import Startup
from common.web import JsonRoute, create_service
from gpu_inference.loading import ModelSettings, Ready
from gpu_inference.predict import BODY_LIMIT, parse_predict_request, predict
from gpu_inference.process import ChunkScorer, parse_chunk_request
from gpu_inference.session import DEVICES

_log = logging.getLogger(__name__)
_ROUTE = "/predict"


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings; the two routes are Vertex AI's names for ours."""

    service: ServiceSettings
    port: int
    model: ModelSettings
    predict_route: str
    health_route: str


def read_settings(environment: Environment) -> Settings:
    """From the environment. Raises SettingError."""
    service = service_settings(environment, "gpu-inference")
    return Settings(
        service=service,
        port=environment.number("AIP_HTTP_PORT", service.port),
        model=ModelSettings(
            device=environment.choice("DEVICE", DEVICES, "auto"),
            model_uri=environment.text("MODEL_URI", environment.text("AIP_STORAGE_URI")),
            # Only for display: the local cloud says so where it stands in for a GPU.
            emulated_accelerator=environment.text("GPUPIPE_EMULATED_ACCELERATOR"),
            max_windows=environment.number("MAX_WINDOWS", 0, least=0),
        ),
        predict_route=environment.text("AIP_PREDICT_ROUTE", _ROUTE),
        health_route=environment.text("AIP_HEALTH_ROUTE", "/ready"),
    )


def create_app(
    settings: Settings,
    load: Callable[[], Ready],
    clock: Clock,
    on_fatal: Callable[[], None] | None = None,
) -> Starlette:
    """The application; `load` runs in a thread after the port is bound."""
    service = settings.service
    startup = Startup(load, serve=lambda ready: ready.engine.batcher.run(), on_fatal=on_fatal)

    async def process(body: Fields) -> JsonObject:
        request = parse_chunk_request(body)
        bind_log(request.execution_id, request.source)
        ready = startup.value()
        bucket = service.work_bucket
        if not bucket:  # not needed where only /predict is used, so not checked at start
            message = "WORK_BUCKET is not set"
            raise ProblemError(500, "not_configured", message, blame=Blame.SYSTEM)
        answer = await ChunkScorer(ready.store, ready.engine, bucket).run(request)
        fields = {name: answer.get(name) for name in ("items", "device", "batch", "timings_ms")}
        _log.info("chunk scored", extra={"fields": {**fields, "chunk": request.chunk.name}})
        return answer

    async def answer_texts(body: Fields) -> JsonObject:
        request = parse_predict_request(body)
        return await predict(startup.value().engine, clock, request)

    def describe() -> JsonObject:
        ready = startup.ready()
        device = ready.engine.device if ready else None
        return {
            "gpu_available": device.cuda if device else False,
            "device": device.label if device else settings.model.device,
            "model_loaded": ready is not None,
        }

    def predict_at(path: str) -> JsonRoute:
        return JsonRoute(path, answer_texts, service.project, BODY_LIMIT)

    app = create_service(
        service.service,
        startup,
        [
            JsonRoute("/process", process, service.project),
            *map(predict_at, dict.fromkeys((_ROUTE, settings.predict_route))),
        ],
        describe=describe,
        ready_path=settings.health_route,
    )
    app.state.startup = startup
    return app
