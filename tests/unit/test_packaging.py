"""What gets installed is what is said: exact pins, no package of a foreign name, a wheel of ours alone, and a set-up that
explains itself when it can't go on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

from schemas.errors import FileRefused
from streams.settings_file import load_settings
from tests.services.programs import program

ROOT = Path(__file__).parents[2]
OURS = {"schemas", "detectors", "streams"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {
        canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)
    }


def yaml(path: str) -> dict[str, object]:
    loaded: dict[str, object] = YAML(typ="safe", pure=True).load(ROOT / path)
    return loaded


# --- pins


def test_constraints_are_exact_sorted_and_without_addresses():
    text = (ROOT / "constraints.txt").read_text()
    lines = text.splitlines()[1:]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.+!]*", line) for line in lines)
    assert lines == sorted(lines, key=str.lower)
    assert "://" not in text


@pytest.mark.parametrize(
    "written",
    [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
        "pip>=25.3",  # the first with --group and --build-constraint
    ],
)
def test_every_dependency_is_pinned_to_a_version_that_it_allows(written):
    requirement = Requirement(written)
    assert pins()[canonicalize_name(requirement.name)] in requirement.specifier


def test_what_is_tested_is_what_is_pinned():
    installed = {
        canonicalize_name(found.name): Version(found.version)
        for found in distributions(path=[path for path in sys.path if "site-packages" in path])
    }
    strangers = set(installed) - set(pins()) - {"plumbline", "setuptools"}
    assert not strangers, f"installed but not pinned: {sorted(strangers)}; make clean, or make pins"
    differing = {name: version for name, version in installed.items() if pins().get(name, version) != version}
    assert not differing, f"not the pinned version: {differing}; make clean, then make test"


# --- what we ship, and what others ship


def test_no_dependency_brings_a_package_of_our_names():
    clashes = {
        (found.name, str(file))
        for found in distributions()
        if found.name != "plumbline"
        for file in found.files or ()
        if file.parts[0].removesuffix(".py") in OURS
    }
    assert not clashes


def test_the_wheel_holds_our_packages_whole_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    on_disk = {
        str(path.relative_to(ROOT))
        for package in OURS
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == on_disk


def test_it_can_not_be_uploaded_by_mistake():
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


# --- the set-up scripts


def run_setup(
    script: str, *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    folder = cwd / "setup"
    shutil.copytree(ROOT / "setup", folder)
    return subprocess.run(
        ["/bin/bash", folder / script, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stub(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_old_python_is_refused_in_a_sentence(tmp_path):
    old = stub(tmp_path / "python3.9", "exit 1")
    done = run_setup("environment", "run", cwd=tmp_path, PYTHON=old)
    assert done.returncode == 1
    assert f"PYTHON={old} is not a Python of version 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_machine_without_a_new_python_is_told_what_to_install(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dirname",):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    stub(tools / "python3", 'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac')
    done = run_setup("environment", "run", cwd=tmp_path, PATH=str(tools))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; python3 here is Python 3.9.2" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_without_venv_is_told_what_to_install(tmp_path):
    bare = stub(
        tmp_path / "python3", f'case "$*" in *ensurepip*) exit 1;; *) exec "{sys.executable}" "$@";; esac'
    )
    done = run_setup("environment", "run", cwd=tmp_path, PYTHON=bare)
    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt-get install python{version}-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_environment_made_by_another_tool_is_left_alone(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.9\n")
    done = run_setup("environment", "run", cwd=tmp_path, PYTHON=sys.executable)
    assert done.returncode == 1
    assert "mv .venv .venv.old" in done.stderr
    assert (tmp_path / ".venv/pyvenv.cfg").exists()


@pytest.mark.parametrize(("ci", "returncode"), [("", 0), ("true", 1)], ids=["at home", "in CI"])
def test_missing_programs_are_named_and_fail_in_ci_alone(tmp_path, ci, returncode):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sort").symlink_to(str(shutil.which("sort")))
    done = run_setup("services", cwd=tmp_path, PATH=str(tools), CI=ci)
    assert done.returncode == returncode
    assert (
        "apt-get install --no-install-recommends chromium chromium-driver curl debootstrap default-jre-headless"
        " docker-compose docker.io iproute2 maven openssl prometheus redis-server" in done.stderr
    )
    assert done.stdout == ""


# --- the container


@pytest.mark.parametrize("name", ["plumbline.yaml", "distributed.yaml"])
def test_container_settings_take_every_secret_from_the_environment(name, monkeypatch):
    path = ROOT / "deploy" / name
    named = set(re.findall(r"env:(\w+)", path.read_text()))
    with pytest.raises(FileRefused) as refused:
        load_settings(path)
    assert named <= set(re.findall(r"PLUMBLINE_\w+", str(refused.value)))
    for number, variable in enumerate(sorted(named)):
        secret = "whsec_" + "A" * 40 if "WEBHOOK" in variable else f"a-long-random-token-{number}"
        monkeypatch.setenv(variable, secret)
    settings = load_settings(path)
    assert settings.listen == "0.0.0.0:8460"
    assert any(token.read for token in settings.tokens)
    assert not re.search(r"^\s*(- )?(token|secrets|password): (?!\[?\"?env:)", path.read_text(), re.M)


COMPOSE_FILES = {"docker-compose.yml": "distributed.yaml", "docker-compose.embedded.yml": "plumbline.yaml"}
"""Compose files, each with the settings of its services."""


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_compose_opens_no_port_to_the_network_and_has_no_default_secret(file):
    services = yaml(file)["services"]
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only") or name == "kafka", name
        for variable, given in service.get("environment", {}).items():
            if re.search("TOKEN|PASSWORD|SECRET", variable):
                assert re.match(r"\$\{PLUMBLINE_\w+:\?", given), f"{name}: {variable} has a default"


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_compose_gives_our_processes_the_variables_that_their_settings_name(file):
    named = set(re.findall(r"env:(\w+)", (ROOT / "deploy" / COMPOSE_FILES[file]).read_text()))
    ours = {
        name: service
        for name, service in yaml(file)["services"].items()
        if service["image"] == "plumbline" and name != "listener"
    }
    assert {name: set(service["environment"]) for name, service in ours.items()} == dict.fromkeys(ours, named)


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_docker_compose_reads_the_file(file):
    compose = program("docker-compose", package="docker-compose")
    secrets = dict.fromkeys(
        re.findall(r"env:(\w+)", (ROOT / "deploy" / COMPOSE_FILES[file]).read_text()), "x"
    )
    config = [compose, "--file", str(ROOT / file), "config", "--quiet"]
    without = subprocess.run(
        config, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert without.returncode != 0
    done = subprocess.run(
        config, env={"PATH": os.environ["PATH"], **secrets}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_image_does_not_run_as_root_and_gets_only_what_it_is_built_from():
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    final = dockerfile.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER [1-9]\d*$", final, re.M)
    assert "/healthz" in final
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.M))
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.M)
        for source in line.split()[:-1]
    }
    assert copied == allowed
