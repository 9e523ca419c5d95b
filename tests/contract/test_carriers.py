"""What carries a trigger's events, as the facades read it off a local cloud."""

from tests.support.localcloud import RunningCloud

from gpupipe.cloud.call import Caller
from gpupipe.cloud.clients import LocalClients
from gpupipe.cloud.cloud import Cloud, connect
from gpupipe.cloud.target import Endpoint
from gpupipe.core.clock import SystemClock
from gpupipe.localcloud.kernel import notifications
from gpupipe.localcloud.kernel.topics import Subscription, Topic

PROJECT = "demo-project"
TOPIC = f"projects/{PROJECT}/topics/one"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/two"


def connected(running: RunningCloud) -> Cloud:
    address = Endpoint(running.grpc, running.http, running.kernel.settings.token)
    return connect(LocalClients(address, PROJECT), Caller(SystemClock()))


def test_topics_subscriptions_and_notifications_are_read_by_their_full_names(
    local_cloud: RunningCloud,
) -> None:
    kernel, cloud = local_cloud.kernel, connected(local_cloud)
    local_cloud.storage_client(PROJECT).create_bucket("demo-input", location="us-central1")
    local_cloud.enable("pubsub.googleapis.com", project=PROJECT)
    assert (cloud.pubsub.topics(PROJECT), cloud.pubsub.subscriptions(PROJECT)) == ((), ())
    assert cloud.storage.notified("demo-input") == ()
    kernel.topics.put_topic(Topic(name=TOPIC))
    kernel.topics.put_subscription(Subscription(name=SUBSCRIPTION, topic=TOPIC))
    fields = {"topic": f"{notifications.TOPIC}{TOPIC}", "event_types": ["OBJECT_FINALIZE"]}
    notifications.add(kernel.resources, "demo-input", fields)
    assert cloud.pubsub.topics(PROJECT) == (TOPIC,)
    assert cloud.pubsub.subscriptions(PROJECT) == (SUBSCRIPTION,)
    assert cloud.storage.notified("demo-input") == (TOPIC,)


def test_where_the_api_or_the_bucket_is_not_nothing_is_left(local_cloud: RunningCloud) -> None:
    cloud = connected(local_cloud)
    assert (cloud.pubsub.topics(PROJECT), cloud.pubsub.subscriptions(PROJECT)) == ((), ())
    assert cloud.storage.notified("no-such-bucket-of-anybody") == ()
