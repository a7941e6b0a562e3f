"""The YAML of the pages is YAML, and Kubernetes' manifests keep to what the package declares and promises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from breaker_exporter._all_settings import DECLARED
from breaker_exporter._core.retention_settings import RETAIN_DIRECTORY, RETAIN_DISK, RETAIN_MEMORY
from breaker_exporter._wiring.switches import SHUTDOWN_TIMEOUT

from ._pages import PAGES, ROOT, blocks, programs

yaml = pytest.importorskip("yaml", reason="comes with the dependency group lint")

PAGE = ROOT / "docs" / "how-to" / "kubernetes.md"
CHANGES = "<!-- changes the manifest above -->\n"
"""Stands above a block that is not complete."""
SUFFIXES = {"Mi": 1 << 20, "Gi": 1 << 30}
VARIABLES = {variable for setting in DECLARED for variable in setting.variables}


def documents() -> list[tuple[str, Any]]:
    """Return all YAML of the docs, each with its place."""
    shown = [(str(block), block.text) for page in PAGES for block in blocks(page) if block.language == "yaml"]
    files = [(path.name, path.read_text()) for path in sorted((ROOT / "docs").glob("*.yml"))]
    return [(where, yaml.safe_load(text)) for where, text in (*shown, *files)]


def manifests() -> dict[str, Any]:
    """Return the manifests of the page by their kind; the one that changes another is applied to it."""
    text = PAGE.read_text()
    found = {each["kind"]: each for each in (document for _, document in documents()) if "apiVersion" in each}
    assert text.count(CHANGES) == 1
    change = yaml.safe_load(text.split(f"{CHANGES}```yaml\n")[1].split("```")[0])
    spec = {**found["Deployment"]["spec"], **change["spec"]}
    pod = {key: value for key, value in spec["template"]["spec"].items() if key != "volumes"}
    spec["template"] = {**spec["template"], "spec": pod}
    return {**found, change["kind"]: {**found["Deployment"], **change, "spec": spec}}


def pods() -> Iterator[dict[str, Any]]:
    yield from (manifest["spec"]["template"]["spec"] for manifest in manifests().values())


def environments(node: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield each list of variables below a node."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "env":
            yield value
        elif isinstance(value, dict | list):
            yield from environments(value)


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
    said = " ".join(re.split(r"^### ", PAGE.read_text(), flags=re.MULTILINE)[5].split())
    assert f"preStop ({before} s) + graceful_timeout ({graceful} s) <" in said
    assert f"terminationGracePeriodSeconds ({pod['terminationGracePeriodSeconds']} s)" in said
    assert f"BREAKER_EXPORTER_SHUTDOWN_TIMEOUT ({SHUTDOWN_TIMEOUT.default:g} s)" in said


def test_the_limit_of_memory_leaves_each_process_the_default() -> None:
    container = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]

    assert bytes_of(container["resources"]["limits"]["memory"]) // 64 >= RETAIN_MEMORY.default


def test_what_is_kept_lies_in_a_folder_of_a_volume_that_is_large_enough() -> None:
    """An emptyDir itself has mode 0777 and is refused."""
    kept = ""
    for pod in pods():
        (container,) = pod["containers"]
        (mount,) = container["volumeMounts"]
        given = [each["value"] for each in container["env"] if each["name"] == RETAIN_DIRECTORY.variable]
        (kept,) = given or [word for word in container["command"] if word == kept]
        assert kept.startswith(f"{mount['mountPath']}/")

    (volume,) = manifests()["Deployment"]["spec"]["template"]["spec"]["volumes"]
    (claim,) = manifests()["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert volume["name"] == claim["metadata"]["name"] == mount["name"]
    assert bytes_of(volume["emptyDir"]["sizeLimit"]) > RETAIN_DISK.default
    assert bytes_of(claim["spec"]["resources"]["requests"]["storage"]) * 0.95 > RETAIN_DISK.default


def test_all_pods_run_as_one_user() -> None:
    users = [pod["securityContext"] for pod in pods()]

    for key in ("runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy"):
        assert len({user[key] for user in users}) == 1
