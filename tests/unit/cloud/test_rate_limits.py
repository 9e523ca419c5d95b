"""A rate limit is an API's, not a call's: what one thread is told holds for all."""

from tests.support.clock import FakeClock

from gpupipe.cloud.call import Caller, Wait
from gpupipe.cloud.errors import ApiError, Refusal

WHAT, RESOURCE = "Creating the thing", "things/one"


def test_all_calls_of_an_api_keep_the_pause_that_it_asked_one_of_them_for() -> None:
    at, told, refused = dict[str, float](), list[Wait](), list[Exception]()

    def refused_once() -> None:
        if not refused:
            refusal = Refusal("RESOURCE_EXHAUSTED", "", "text", retry_after_s=42.0)
            refused.append(ApiError(refusal, what=WHAT, resource=RESOURCE))
            raise refused[0]

    def other(of: str) -> None:
        caller.call(WHAT, RESOURCE, lambda: at.update({of: clock.monotonic()}), api=of)

    class WithOthers(FakeClock):
        """While the refused call pauses, others come."""

        def sleep(self, seconds: float) -> None:
            if not at:
                for of in ("storage", "", "run"):
                    other(of)
            super().sleep(seconds)

    clock = WithOthers()
    caller = Caller(clock, on_wait=told.append)
    caller.call(WHAT, RESOURCE, refused_once, api="run")
    assert at == {"storage": 0.0, "": 0.0, "run": 42.0}
    assert {wait.what for wait in told} == {"the API to take more calls"}
