"""The options of the buckets: a part of `gpupipe.core.options`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gpupipe.core.option_types import BucketName, Days, Location, SoftDelete, StorageClass, Strict

GIVEN_BUCKETS = ("input", "models", "output")
"""The buckets that may be the user's own."""
_RETENTION = "days after which objects are deleted, 0: never; by default retention_days"


class BucketOptions(Strict):
    """A bucket that gpupipe makes."""

    location: Location | None = Field(
        default=None, description="where the bucket is; by default the pipeline's region"
    )
    storage_class: StorageClass = Field(
        default="STANDARD", description="storage class of new objects"
    )
    versioning: bool = Field(
        default=False, description="keep replaced and deleted objects as noncurrent"
    )
    soft_delete_days: SoftDelete = Field(
        default=0, description="days for which deleted objects can be restored, and are billed"
    )


class ModelsBucketOptions(BucketOptions):
    """A bucket that gpupipe makes, or one of the user's that it uses and never deletes.

    Models are never deleted by age.
    """

    name: BucketName | None = Field(
        default=None, description="a bucket of yours: used as it is, given roles on, never deleted"
    )

    @model_validator(mode="after")
    def _check_given(self) -> Self:
        others = self.model_fields_set - {"name"}
        if self.name is not None and others:
            raise ValueError(
                f"{', '.join(sorted(others))}: a bucket that you name keeps its own settings"
            )
        return self


class OutputBucketOptions(ModelsBucketOptions):
    """The output bucket."""

    retention_days: Days | None = Field(default=None, description=_RETENTION)


class InputBucketOptions(OutputBucketOptions):
    """The input bucket: replaced and deleted files stay as noncurrent for a day."""

    versioning: bool = Field(default=True, description="keep replaced and deleted files for a day")


class WorkBucketOptions(BucketOptions):
    """The work bucket: what passes between the services."""

    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(
        default=1, description="days after which objects are deleted"
    )


class StagingBucketOptions(BucketOptions):
    """The staging bucket: build sources, the lease and the history of runs."""

    retention_days: Days | None = Field(default=None, description=_RETENTION)


class LogsBucketOptions(BucketOptions):
    """The bucket of exported logs, which there is with log_sink only."""

    retention_days: Days | None = Field(default=None, description=_RETENTION)


class BucketsOptions(Strict):
    """The buckets."""

    input: InputBucketOptions = Field(
        default=InputBucketOptions(), description="files come in here"
    )
    models: ModelsBucketOptions = Field(
        default=ModelsBucketOptions(), description="models of your own"
    )
    output: OutputBucketOptions = Field(default=OutputBucketOptions(), description="results")
    work: WorkBucketOptions = Field(default=WorkBucketOptions(), description="between the services")
    staging: StagingBucketOptions = Field(
        default=StagingBucketOptions(), description="build sources, lease, history"
    )
    logs: LogsBucketOptions = Field(
        default=LogsBucketOptions(), description="exported logs, with log_sink"
    )
