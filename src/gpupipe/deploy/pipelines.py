"""Which pipelines a project holds, by the labels of its buckets."""

from gpupipe.cloud.cloud import Cloud


def pipelines(cloud: Cloud) -> tuple[str, ...]:
    """`PREFIX (REGION)` of each, sorted."""
    buckets = cloud.storage.labelled({"managed-by": "gpupipe"})
    return tuple(
        sorted(
            {
                f"{one.labels.get('gpupipe-pipeline', '?')} ({one.labels.get('gpupipe-region', '?')})"
                for one in buckets
            }
        )
    )
