"""What the commands that disturb the local cloud do: one call of its control surface, shown."""

import difflib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from gpupipe.commands._durations import seconds, spoken
from gpupipe.commands._fault_words import describe, parse
from gpupipe.commands._local import running
from gpupipe.commands._place import local_place
from gpupipe.core.errors import Exit, UsageError
from gpupipe.core.names import check_project
from gpupipe.localcloud import daemon
from gpupipe.render.columns import columns
from gpupipe.render.json_output import print_json
from gpupipe.render.output import Output

Json = dict[str, Any]
_BINARY = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
_VALUE = re.compile(r"([0-9]{1,30})([KMGT]i)?")
_LARGEST = 2**62
_BYTES = "bytes"


def add_fault(output: Output, words: str, project: str | None) -> int:
    """Put a fault in force."""
    fault = parse(words, local_place(project, None)[0])
    if project and fault["kind"] != "agent":
        raise UsageError(
            "A fault of calls, events or propagation is one of all projects.",
            details=f"--project {project} says whose agent is taken away.",
            resolution="Leave --project out.",
            doc="how-to/break-the-local-cloud.md",
        )
    answer = _control("POST", "faults", fault)
    if output is Output.JSON:
        return _faults_json(answer)
    print(f"In force: {describe(fault)}")
    return Exit.DONE


def list_faults(output: Output) -> int:
    """Each fault with its account."""
    answer = _control("GET", "faults")
    if output is Output.JSON:
        return _faults_json(answer)
    if not answer["faults"]:
        print("No fault is in force.")
        return Exit.DONE
    _table(
        ("FAULT", ">STRUCK", ">LEFT"),
        [
            (
                describe(fault) + (f" ({fault['project']})" if "project" in fault else ""),
                str(fault.get("consumed", "-")),
                str(fault.get("left", "until cleared")),
            )
            for fault in answer["faults"]
        ],
    )
    return Exit.DONE


def clear_faults(output: Output) -> int:
    """End all faults."""
    answer = _control("DELETE", "faults")
    if output is Output.JSON:
        return _faults_json(answer)
    print("No fault is in force.")
    return Exit.DONE


def set_quota(
    output: Output, name: str, value: str, project: str | None, region: str | None
) -> int:
    """Change a limit."""
    project, region = local_place(project, region)
    quotas = _control("GET", f"quotas?project={quote(project)}")["quotas"]
    found = _quota_named(name, quotas)
    number = _in_unit(value, found)
    body = {
        "project": project,
        "service": found["service"],
        "quota_id": found["quota_id"],
        "region": region,
        "value": number,
    }
    answer = _control("POST", "quota", body) | {"unit": found["unit"]}
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-quota/1", **answer})
    else:
        limit = _with_unit(number, found["unit"])
        print(f"{found['quota_id']} is {limit} in {region} of project {project}.")
    return Exit.DONE


def list_quotas(output: Output, project: str | None, region: str | None) -> int:
    """Every quota of a project, in one region."""
    project, region = local_place(project, region)
    answer = _control("GET", f"quotas?project={quote(project)}")
    rows = [
        {
            "service": one["service"],
            "quota_id": one["quota_id"],
            "unit": one["unit"],
            "region": region,
            "limit": one["regions"].get(region, one["default"]),
            "default": one["default"],
        }
        for one in answer["quotas"]
    ]
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-quotas/1", "project": project, "quotas": rows})
        return Exit.DONE
    print(f"Project {project}, region {region}")
    _table(
        ("QUOTA", ">LIMIT", ">DEFAULT"),
        [
            (
                row["quota_id"],
                _with_unit(row["limit"], row["unit"]),
                _with_unit(row["default"], row["unit"]),
            )
            for row in rows
        ],
    )
    return Exit.DONE


def list_incidents(output: Output, project: str | None) -> int:
    """Incidents of a project's alert policies, newest first; the policies are evaluated now."""
    project, _ = local_place(project, None)
    answer = _control("GET", f"incidents?project={quote(project)}")
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-incidents/1", **answer})
        return Exit.DONE
    if not answer["incidents"]:
        print(f"No alert policy of project {project} has fired.")
        return Exit.DONE
    _table(
        ("STATE", "POLICY", "CONDITION", ">VALUE", "SINCE"),
        [
            (
                one["state"],
                one["policy"],
                one["condition"],
                f"{one['value']:g}",
                one["opened"][:19].relocal_place("T", " "),
            )
            for one in answer["incidents"]
        ],
    )
    return Exit.DONE


def revoke(output: Output, name: str, project: str | None) -> int:
    """Deny the operator a permission, or all of a role."""
    answer = _control("POST", "permissions", _denial(name, project))
    return _permissions(output, answer, f"{name} is denied to you {_where(project)}.")


def restore(output: Output, name: str, project: str | None) -> int:
    """Take that back."""
    denial = _denial(name, project)
    if denial not in _control("GET", "permissions")["revoked"]:
        raise UsageError(
            f"{name} is not denied to you {_where(project)}.",
            resolution="See `gpupipe local permission list`.",
            doc="reference/cli.md",
        )
    answer = _control("DELETE", "permissions", denial)
    return _permissions(output, answer, f"{name} is no longer denied to you {_where(project)}.")


def list_permissions(output: Output) -> int:
    """What is denied to the operator."""
    answer = _control("GET", "permissions")
    lines = [f"{one['name']} {_where(one['project'])}" for one in answer["revoked"]]
    return _permissions(output, answer, "\n".join(lines) or "Nothing is denied to you.")


def set_latency(output: Output, wanted: str) -> int:
    """Let calls and operations take their typical time, times a factor."""
    answer = _control("POST", "latency", {"factor": _factor(wanted)})
    return _latency(output, answer)


def show_latency(output: Output) -> int:
    """The factor and the typical times."""
    return _latency(output, _control("GET", "latency"))


def show_clock(output: Output) -> int:
    """What time it is."""
    return _clock(output, _control("GET", "clock"))


def advance_clock(output: Output, duration: str) -> int:
    """Move the clock ahead."""
    return _clock(output, _control("POST", "clock", {"seconds": seconds(duration)}))


def add_resource(output: Output, name: str, encrypters: Sequence[str]) -> int:
    """Let something be there."""
    body = {"name": name, "encrypters": list(encrypters)}
    return _resources(output, _control("POST", "resources", body))


def remove_resource(output: Output, name: str) -> int:
    """Take it away."""
    return _resources(output, _control("DELETE", "resources", {"name": name}))


def list_resources(output: Output) -> int:
    """What was added."""
    return _resources(output, _control("GET", "resources"))


def _control(verb: str, name: str, body: Json | None = None) -> Json:
    answer: Json = daemon.call(running(), verb, f"/control/{name}", body)
    return answer


def _faults_json(answer: Json) -> int:
    faults = [{"fault": describe(fault), **fault} for fault in answer["faults"]]
    print_json({"schema": "gpupipe.local-faults/1", "faults": faults})
    return Exit.DONE


def _quota_named(name: str, quotas: Sequence[Json]) -> Json:
    by_id = {quota["quota_id"].lower(): quota for quota in quotas}
    if name.lower() in by_id:
        found: Json = by_id[name.lower()]
        return found
    near = difflib.get_close_matches(name.lower(), by_id, n=3, cutoff=0.3)
    raise UsageError(
        f"There is no quota {name}.",
        details=f"Close to it: {', '.join(by_id[one]['quota_id'] for one in near)}."
        if near
        else None,
        resolution="See `gpupipe local quota list`.",
        doc="reference/cli.md",
    )


def _in_unit(value: str, quota: Json) -> int:
    found = _VALUE.fullmatch(value)
    if found is None or (found[2] and quota["unit"] != _BYTES):
        raise UsageError(
            f"{value!r} is no limit for {quota['quota_id']}, which counts {quota['unit']}.",
            resolution="Give a whole number; for bytes also with Ki, Mi, Gi or Ti.",
            doc="reference/cli.md",
        )
    limit = int(found[1]) * _BINARY.get(found[2] or "", 1)
    if limit > _LARGEST:
        raise UsageError(
            f"{value} is more than a quota can be.",
            resolution=f"Give at most {_LARGEST}.",
            doc="reference/cli.md",
        )
    return limit


def _with_unit(value: int, unit: str) -> str:
    if unit == _BYTES and value and value % _BINARY["Gi"] == 0:
        return f"{value // _BINARY['Gi']}Gi {unit}"
    return f"{value} {unit}"


def _denial(name: str, project: str | None) -> Json:
    return {"name": name, "project": check_project(project) if project else ""}


def _where(project: str | None) -> str:
    return f"in project {project}" if project else "in all projects"


def _permissions(output: Output, answer: Json, words: str) -> int:
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-permissions/1", **answer})
    else:
        print(words)
    return Exit.DONE


def _resources(output: Output, answer: Json) -> int:
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-resources/1", **answer})
        return Exit.DONE
    if not answer["resources"]:
        print("Nothing was added to what every project has.")
        return Exit.DONE
    rows = [(one["kind"], one["name"], ", ".join(one["encrypters"])) for one in answer["resources"]]
    _table(("KIND", "NAME", "ENCRYPTERS"), rows)
    return Exit.DONE


def _factor(wanted: str) -> float:
    named = {"none": 0.0, "realistic": 1.0}
    if wanted in named:
        return named[wanted]
    if not re.fullmatch(r"\d+(\.\d+)?", wanted):
        raise UsageError(
            f"{wanted!r} is no latency.",
            resolution='Give "none", "realistic", or a factor such as 0.5 or 2.',
            doc="reference/local-cloud.md",
        )
    return float(wanted)


def _latency(output: Output, answer: Json) -> int:
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-latency/1", **answer})
        return Exit.DONE
    factor, typical = answer["factor"], answer["typical_s"]
    if not factor:
        print("Latency: none. Everything is as fast as it can be.")
        return Exit.DONE
    print(f"Latency: {factor:g} times the typical times, which are assumptions.")
    times = {
        "a call that reads": typical["reads"],
        "a call that writes": typical["writes"],
        **typical["operations"],
        "any other operation": typical["other_operations"],
    }
    _table(("WHAT", ">AT LEAST"), [(name, spoken(factor * s)) for name, s in times.items()])
    return Exit.DONE


def _clock(output: Output, answer: Json) -> int:
    if output is Output.JSON:
        print_json({"schema": "gpupipe.local-clock/1", **answer})
    else:
        ahead = answer["ahead_s"]
        print(answer["now"] + (f", {spoken(ahead)} ahead of this machine" if ahead else ""))
    return Exit.DONE


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for line in columns(head, rows):
        print(line.plain)
