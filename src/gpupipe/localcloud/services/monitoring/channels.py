"""google.monitoring.v3.NotificationChannelService: addresses for e-mail, kept. Nothing is sent."""

from typing import Any

from google.cloud import monitoring_v3 as pb
from google.protobuf.empty_pb2 import Empty

from gpupipe.localcloud.errors import failed_precondition, invalid_argument, unimplemented
from gpupipe.localcloud.kernel.kernel import Kernel
from gpupipe.localcloud.kernel.labels import check_labels
from gpupipe.localcloud.services.monitoring.alerts import policies_of
from gpupipe.localcloud.services.monitoring.names import new_id
from gpupipe.localcloud.services.monitoring.store import Store
from gpupipe.localcloud.transport.rows import raw
from gpupipe.localcloud.transport.rpc import Call
from gpupipe.localcloud.transport.updates import WithoutMask, merged

NotificationChannel = raw(pb.NotificationChannel)
COLLECTION = "notificationChannels"
_PATH = "notification_channel"
_READ_ONLY = ("name", "creation_record", "mutation_records")
_LIMITS = {"display_name": 512, "description": 1024}


def channels_of(kernel: Kernel) -> Store:
    """The stored channels."""
    return Store(kernel, "monitoring.notificationChannel", COLLECTION, NotificationChannel)


class Channels:
    """Create, get, list, update, delete."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._channels = channels_of(kernel)
        self._policies = policies_of(kernel)

    def create(self, request: Any, call: Call) -> Any:
        """CreateNotificationChannel."""
        channel = NotificationChannel()
        channel.CopyFrom(request.notification_channel)
        for field in _READ_ONLY:
            channel.ClearField(field)
        _check(channel)
        channel.name = f"{self._channels.parent(request.name, 'name')}/{COLLECTION}/{new_id()}"
        if not channel.HasField("enabled"):
            channel.enabled.value = True
        self._channels.record(channel.creation_record, call)
        self._channels.put(channel.name, channel)
        return channel

    def get(self, request: Any, _: Call) -> Any:
        """GetNotificationChannel."""
        return self._channels.existing(self._channels.key(request.name, "name"))

    def list(self, request: Any, _: Call) -> Any:
        """ListNotificationChannels."""
        parent = self._channels.parent(request.name, "name")
        channels, token = self._channels.page(parent, request)
        return raw(pb.ListNotificationChannelsResponse)(
            notification_channels=channels,
            next_page_token=token,
            total_size=len(self._channels.all(parent)),
        )

    def update(self, request: Any, call: Call) -> Any:
        """UpdateNotificationChannel."""
        key = self._channels.key(request.notification_channel.name, f"{_PATH}.name")
        with self._kernel.database.transaction():
            channel = merged(
                self._channels.existing(key),
                request.notification_channel,
                request.update_mask,
                path=_PATH,
                without_mask=WithoutMask.GIVEN,
                keep=_READ_ONLY,
            )
            _check(channel)
            self._channels.record(channel.mutation_records.add(), call)
            self._channels.put(key, channel)
        return channel

    def delete(self, request: Any, _: Call) -> Empty:
        """DeleteNotificationChannel; one that policies name only by force, which unnames it."""
        key = self._channels.key(request.name, "name")
        with self._kernel.database.transaction():
            self._channels.existing(key)
            policies = self._policies.all(key.partition(f"/{COLLECTION}/")[0])
            using = [one for one in policies if key in one.notification_channels]
            if using and not request.force:
                raise failed_precondition(f"{key} is used by {using[0].name}; force removes it.")
            for policy in using:
                policy.notification_channels.remove(key)
                self._policies.put(policy.name, policy)
            self._channels.delete(key)
        return Empty()


def _check(channel: Any) -> None:
    if channel.type_ != "email":
        kind = channel.type_ or "without a type"
        raise unimplemented(f"notification channels of another type than email: {kind}")
    if set(channel.labels) != {"email_address"} or "@" not in channel.labels["email_address"]:
        path = f"{_PATH}.labels"
        raise invalid_argument("An e-mail channel has the label email_address only.", path)
    if channel.verification_status:
        path = f"{_PATH}.verification_status"
        raise invalid_argument("The verification_status is the server's.", path)
    for field, most in _LIMITS.items():
        if len(getattr(channel, field)) > most:
            path = f"{_PATH}.{field}"
            raise invalid_argument(f"{path} has more than {most} characters.", path)
    check_labels(channel.user_labels, f"{_PATH}.user_labels")
