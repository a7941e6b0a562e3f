"""The YAML of the pages is YAML, and Kubernetes' manifests keep to what the package declares and promises."""

from __future__ import annotations

import re

from breaker_exporter._all_settings import DECLARED
from breaker_exporter._core.retention_settings import RETAIN_DIRECTORY, RETAIN_DISK, RETAIN_MEMORY
from breaker_exporter._wiring.switches import SHUTDOWN_TIMEOUT

from ._manifests import PAGE, documents, environments, manifests
from ._pages import programs

SUFFIXES = {"Mi": 1 << 20, "Gi": 1 << 30}
VARIABLES = {variable for setting in DECLARED for variable in setting.variables}


def bytes_of(quantity: str) -> int:
    return int(quantity[:-2]) * SUFFIXES[quantity[-2:]]


def test_each_variable_of_a_manifest_is_declared_or_part_of_a_later_one() -> None:
    found = [(where, env) for where, document in documents() for env in environments(document)]

    assert found
    for where, env in found:
        asked = [set(re.findall(r"\$\((\w+)\)", each.get("value", ""))) for each in env]
        for at, each in enumerate(env):
            assert each["name"] in VARIABLES.union(*asked[at + 1 :]), where
            assert asked[at] <= {earlier["name"] for earlier in env[:at]}, where


def test_the_page_has_each_kind_of_manifest() -> None:
    assert set(manifests()) == {"Deployment", "StatefulSet", "Job"}


def test_the_pod_has_time_for_the_hook_and_for_gunicorn() -> None:
    ((_, conf),) = programs(PAGE)
    graceful = int(re.findall(r"^graceful_timeout = (\d+)$", conf, re.MULTILINE)[0])
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert before + graceful + 1 < pod["terminationGracePeriodSeconds"]
    assert SHUTDOWN_TIMEOUT.default + 2 < graceful
    said = " ".join(PAGE.read_text().split("### Time for stopping")[1].split())
    assert f"preStop ({before} s) + graceful_timeout ({graceful} s) <" in said
    assert f"terminationGracePeriodSeconds ({pod['terminationGracePeriodSeconds']} s)" in said
    assert f"BREAKER_EXPORTER_SHUTDOWN_TIMEOUT ({SHUTDOWN_TIMEOUT.default:g} s)" in said


def test_the_limit_of_memory_leaves_each_process_the_default() -> None:
    container = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]

    assert bytes_of(container["resources"]["limits"]["memory"]) // 64 >= RETAIN_MEMORY.default


def test_what_is_kept_lies_in_a_folder_of_a_volume_that_is_large_enough() -> None:
    """An emptyDir itself has mode 0777 and is refused."""
    found = manifests()
    pods = [found[kind]["spec"]["template"]["spec"] for kind in ("Deployment", "StatefulSet", "Job")]
    kept = ""
    for pod in pods:
        (container,) = pod["containers"]
        (mount,) = container["volumeMounts"]
        given = [each["value"] for each in container["env"] if each["name"] == RETAIN_DIRECTORY.variable]
        (kept,) = given or [word for word in container["command"] if word == kept]
        assert kept.startswith(f"{mount['mountPath']}/")

    (volume,) = pods[0]["volumes"]
    (claim,) = found["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert volume["name"] == claim["metadata"]["name"] == mount["name"]
    assert bytes_of(volume["emptyDir"]["sizeLimit"]) > RETAIN_DISK.default
    assert bytes_of(claim["spec"]["resources"]["requests"]["storage"]) * 0.95 > RETAIN_DISK.default


def test_all_pods_run_as_one_user() -> None:
    users = [manifest["spec"]["template"]["spec"]["securityContext"] for manifest in manifests().values()]

    for key in ("runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy"):
        assert len({user[key] for user in users}) == 1
