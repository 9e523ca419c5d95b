"""`gpupipe local env`: what any Google client needs to use the local cloud."""

import os
import shlex

from gpupipe.commands._local import running
from gpupipe.commands._local_gcloud import configuration, foreign
from gpupipe.context import local_home
from gpupipe.core.errors import Exit
from gpupipe.localcloud.settings import Settings
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output


def run_env(output: Output) -> int:
    """Lines for the shell, or one document; never the value of a token."""
    info = running()
    settings, gcloud = Settings(local_home()), configuration()
    if output is Output.JSON:
        print_json(
            {
                "grpc": info.grpc,
                "http": info.http,
                "token_file": str(info.token_file),
                "adc_file": str(info.adc_file),
                "gcloud_config": gcloud["CLOUDSDK_CONFIG"],
                "boto_config": gcloud["BOTO_CONFIG"],
                "ca_file": str(settings.certificate),
                "project": info.project,
                "project_number": info.project_number,
                "region": info.region,
            }
        )
        return Exit.DONE
    for name in sorted(set(foreign(os.environ)) - gcloud.keys()):
        print(f"unset {name}")
    for name, value in {
        "GOOGLE_APPLICATION_CREDENTIALS": str(info.adc_file),
        "GOOGLE_CLOUD_PROJECT": info.project,
        "GOOGLE_CLOUD_REGION": info.region,
        "API_ENDPOINT_OVERRIDE": info.http,
        "NODE_EXTRA_CA_CERTS": str(settings.certificate),
        **gcloud,
        # A local project must not make gpupipe itself look for Google Cloud.
        "GPUPIPE_TARGET": "local",
    }.items():
        print(f"export {name}={shlex.quote(value)}")
    return Exit.DONE
