"""Compiled objects are shared by checkouts in different folders, through a real Redis server where there is one."""

import shutil
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from recipes.building import genai_build, ort_build
from recipes.building import parts as doors
from recipes.building.tools import cache_prefix_maps, cache_settings
from recipes.spec import target
from recipes.spec.request import Request, options_from
from tests.recipes import upstream
from tests.recipes.contexts import context


def with_launcher(folder, launcher, **places):
    build = context(folder)
    return replace(
        build,
        tools=replace(build.tools, launcher=launcher),
        layout=replace(build.layout, **places),
    )


@pytest.mark.parametrize("launcher", ["ccache", "/usr/bin/ccache", "C:/tools/ccache.exe"])
def test_every_command_that_compiles_counts_paths_from_the_common_folder(launcher):
    build = with_launcher(PurePosixPath("/w/checkout"), launcher)
    told = {"CCACHE_BASEDIR": "/w/checkout", "CCACHE_NOHASHDIR": "1"}
    compiling = [c for c in genai_build.core_commands(build, PurePosixPath("/x")) if "--build" in c.argv]
    compiling += [c for c in genai_build.module_commands(build, "3.12", build.wheel("3.12")) if "--build" in c.argv]
    compiling += ort_build.commands(build)
    assert len(compiling) == 4
    assert all(told.items() <= command.env.items() for command in compiling)


@pytest.mark.parametrize("launcher", ["", "sccache", "/opt/my-ccache-wrapper"])
def test_other_caches_are_told_nothing(launcher):
    build = with_launcher(PurePosixPath("/w/checkout"), launcher)
    assert cache_settings(build.tools, build.layout) == {}
    assert cache_prefix_maps(build.tools, build.layout, build.core_build) == ()


def test_folders_that_share_nothing_but_the_root_have_no_common_folder():
    build = with_launcher(PurePosixPath("/w"), "ccache", work=PurePosixPath("/cache/build/mini"))
    assert cache_settings(build.tools, build.layout) == {}
    assert cache_prefix_maps(build.tools, build.layout, build.core_build) == ()


def test_relative_paths_are_kept_out_of_binaries_sources_last():
    build = with_launcher(PurePosixPath("/w/here"), "ccache")
    first, last = cache_prefix_maps(build.tools, build.layout, build.core_build)
    assert (first, last) == ("-ffile-prefix-map=..=/build", "-ffile-prefix-map=../../third_party=/src")


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """A real server that keeps nothing on the disk; its port."""
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(argv, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if server.poll() is not None:
                pytest.fail("redis-server ended at once")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait()


class Machine:
    """A checkout in a folder of its own, with a local compile cache of its own."""

    def __init__(self, folder, monkeypatch, storage):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.variables = {
            **upstream.environment(folder),
            "CCACHE_DIR": str(folder / "ccache"),
            "CCACHE_REMOTE_STORAGE": storage,
        }
        self.upstream = upstream.make_upstream(folder, pybind11=True)

    def build(self, until="wheel"):
        """Build, and return the bytes of what came out by name."""
        with self.monkeypatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            patch.setattr(target, "third_party_dir", lambda: self.folder / "third_party")
            chosen = options_from(source_mirror=str(self.upstream.mirror))
            doors.build_git_lane(
                Request(recipe=str(self.upstream.recipe), options=chosen), self.folder / "wheels", until=until
            )
        return {wheel.name: wheel.read_bytes() for wheel in (self.folder / "wheels").glob("*.whl")}

    def counted(self):
        """What ccache has counted here."""
        done = subprocess.run(
            ["ccache", "--dir", str(self.folder / "ccache"), "--print-stats"],
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return {name: int(value) for name, value in (line.split("\t") for line in done.stdout.splitlines())}


needs_tools = pytest.mark.skipif(
    shutil.which("redis-server") is None or shutil.which("ccache") is None or shutil.which("sccache") is not None,
    reason="needs redis-server and ccache, and no sccache, which would be preferred",
)


@pytest.mark.integration
@needs_tools
def test_a_second_checkout_compiles_nothing_and_makes_the_same_bytes(redis, tmp_path, monkeypatch):
    storage = f"redis://127.0.0.1:{redis}"
    first = Machine(tmp_path / "one", monkeypatch, storage)
    wheels = first.build()
    assert first.counted()["cache_miss"] == 3  # ort.c, core.c, module.cpp
    second = Machine(tmp_path / "another" / "place", monkeypatch, storage)
    assert second.build() == wheels
    counted = second.counted()
    assert (counted["direct_cache_hit"], counted["cache_miss"], counted["remote_storage_hit"]) == (3, 0, 3)
    here = [str(machine.folder).encode() for machine in (first, second)]
    library = next(Path(first.folder / "cache" / "build").glob("*/core/lib/libminigenai.so")).read_bytes()
    assert b"/src/genai-" in library
    assert not [place for place in here if place in library]


@pytest.mark.integration
@needs_tools
def test_a_server_that_is_gone_or_hangs_fails_no_build(tmp_path, monkeypatch):
    gone = Machine(tmp_path / "gone", monkeypatch, f"redis://127.0.0.1:{free_port()}")
    gone.build(until="build-genai")
    assert gone.counted()["cache_miss"] == 2
    assert gone.counted()["remote_storage_error"] > 0
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        storage = f"redis://127.0.0.1:{deaf.getsockname()[1]}|operation-timeout=200"
        hanging = Machine(tmp_path / "hanging", monkeypatch, storage)
        hanging.build(until="build-genai")
    assert hanging.counted()["cache_miss"] == 2
    assert hanging.counted()["remote_storage_timeout"] + hanging.counted()["remote_storage_error"] > 0
