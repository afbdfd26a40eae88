"""The git lane: fetch, build ONNX Runtime, stage, build GenAI's core, pack one wheel per Python.

Each part is a step with labelled inputs: what did not change does not run, and no process is started to find that out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from recipes.building import genai_build, ort_build, packing, zig
from recipes.building.built import toolchain
from recipes.building.context import Context, python_tag
from recipes.building.forecast import CORE_ROOM
from recipes.building.lane_run import hash_part, hash_text, keep_if_same, run_all, what_matters
from recipes.building.origins import built_folder, find_origin, fingerprint
from recipes.building.target_python import fetch_target_python
from recipes.sources import leftovers
from recipes.sources.checkout import Checkout, require_clean, source_name
from recipes.sources.dependencies import Project, require_present
from recipes.sources.fetching import Fetched, fetch_projects
from recipes.sources.pins import Pins
from recipes.spec.load import hash_of
from recipes.staging import ort_home
from recipes.wheels.local_version import localize
from wheelhouse.errors import StepFailedError
from wheelhouse.files import by_name, remove_tree, require_space, sha256_file, sha256_tree, write_atomic
from wheelhouse.process import Command
from wheelhouse.steps import RECORD, Step, ensure


@dataclass(kw_only=True)
class GitLane:
    """One run of the lane: call the parts in order. The checkouts are known once `fetch_all` has run."""

    build: Context
    recipe_file: Path
    pins: Pins
    fetched: Fetched = field(default_factory=Fetched)

    @property
    def checkouts(self) -> dict[str, Checkout]:
        """The fetched sources and dependencies that are repositories."""
        return self.fetched.checkouts

    def fetch_all(self) -> None:
        """Fetch every source and configure-time dependency that this build needs."""
        build = self.build
        self.fetched = fetch_projects(build.projects, self.pins, mirror=build.options.source_mirror)
        for python in build.tools.pythons:
            fetch_target_python(build, python, self.pins)

    def build_ort(self) -> dict[str, float]:
        """Build ONNX Runtime and its wheels, if this run builds it; return file name to seconds."""
        if not self.build.builds_ort:
            return {}
        source = self.checkouts[source_name(self.build.ort.source)]
        made: dict[str, float] = {}
        for python, command in zip(self.build.tools.pythons, ort_build.commands(self.build), strict=True):
            inputs = self._dependency_inputs(self.build.ort_project) | {
                "source": f"{source.commit} {source.tree}",
                "options": what_matters(command.argv[2:]),
                "version": packing.ort_version(self.build),
                "compiler": self.build.tools.identity,
                "Python": command.argv[0],
            }
            folder = built_folder(self.build, python)
            step = Step(name=f"build ONNX Runtime for Python {python}", output=folder, inputs=inputs)
            outcome = ensure(step, partial(self._make_ort, source, command, python_tag(python)))
            made |= {wheel.name: outcome.seconds for wheel in folder.glob("*.whl")}
        return made

    def stage(self) -> None:
        """Stage ORT_HOME from what was built, published or given, and verify every staged file."""
        build = self.build
        inputs = {
            "rules": hash_part(build.ort.staging),
            "version": build.ort.version,
            "origin": build.options.ort,
            "content": fingerprint(build),
        }

        def make(into: Path) -> None:
            ort_home.stage(build.ort, build.target, find_origin(build, self.pins), into)

        ensure(Step(name="stage ORT_HOME", output=Path(build.ort_home), inputs=inputs), make)
        ort_home.verify(Path(build.ort_home))

    def build_core(self) -> None:
        """Build and install GenAI's core, once for all Pythons."""
        build = self.build
        require_present(build.genai_project)
        identities = self.fetched.identities(build.genai_project, self.pins)
        packages = {d.name: identities[d.name] for d in build.genai_project.needed if d.install}
        if packages:
            step = Step(name="install header packages", output=Path(build.prefix), inputs=packages)
            ensure(step, self._make_prefix, quiet_when_fresh=True)
        ensure(
            Step(name="build GenAI's core", output=Path(build.core), inputs=self._core_inputs()),
            self._make_core,
        )

    def pack(self) -> dict[str, float]:
        """Compile the module and pack the wheel for each Python; return file name to seconds."""
        made = {}
        for python in self.build.tools.pythons:
            name = packing.filename(self.build, python)
            folder = Path(self.build.wheel(python))
            step = Step(name=f"pack {name}", output=folder, inputs=self._wheel_inputs(python))
            made[name] = ensure(step, partial(self._make_wheel, python)).seconds
        return made

    def wheels(self) -> list[Path]:
        """Return the finished wheels, in the steps' folders."""
        pythons = self.build.tools.pythons
        ort = [built_folder(self.build, python) for python in pythons] if self.build.builds_ort else []
        folders = [*ort, *(Path(self.build.wheel(python)) for python in pythons)]
        return [wheel for folder in folders for wheel in sorted(folder.glob("*.whl"), key=by_name)]

    def _make_ort(self, source: Checkout, command: Command, tag: str, into: Path) -> None:
        folder = Path(self.build.ort_build)
        # not the command line, which names the Python, nor our part of the version: hours of compiling serve any
        part = hash_part(msgspec.structs.replace(self.build.ort, local_version=""))
        same = f"{source.commit} {source.tree} {part} {self.build.tools.identity}"
        keep_if_same(folder, same)
        with leftovers.building(source), self._compiler():
            run_all((command,), "build ONNX Runtime")
        for name, path in ort_build.built_origin(self.build).libraries.items():
            write_atomic(into / "lib" / name, path.read_bytes())
        wheel = ort_build.built_wheels(self.build, (tag,))[tag]
        localize(wheel, self.build.ort.local_version, into, epoch=source.epoch)

    def _make_prefix(self, into: Path) -> None:
        with self._compiler():
            run_all(genai_build.prefix_commands(self.build, into), "install header packages")

    def _core_inputs(self) -> dict[str, str]:
        build = self.build
        configure = genai_build.core_commands(build, build.core)[0]
        source = self.checkouts[source_name(build.genai.source)]
        return self._dependency_inputs(build.genai_project) | {
            "source": f"{source.commit} {source.tree}",
            "ORT_HOME": sha256_file(Path(build.ort_home) / ort_home.MANIFEST),
            # not which Python: the core is one for all, and CMake only wants some interpreter
            "options": what_matters(
                [*configure.argv[1:], *build.genai.build_targets], "Python_EXECUTABLE", "PYTHON_EXECUTABLE"
            ),
            "compiler": build.tools.identity,
        }

    def _dependency_inputs(self, project: Project) -> dict[str, str]:
        identities = self.fetched.identities(project, self.pins)
        return {f"dependency {name}": identity for name, identity in identities.items()}

    def _make_core(self, into: Path) -> None:
        for name, checkout in self.checkouts.items():
            if name != source_name(self.build.ort.source):  # compiled long ago; only its headers were taken
                require_clean(checkout)
        require_space(Path(self.build.layout.work), CORE_ROOM, "Building GenAI")  # what was fetched has taken some
        keep_if_same(Path(self.build.core_build), " ".join(self._core_inputs().values()))
        with self._compiler():
            run_all(genai_build.core_commands(self.build, into), "build GenAI's core")

    def _wheel_inputs(self, python: str) -> dict[str, str]:
        build = self.build
        return {
            "core": hash_text((Path(build.core) / RECORD).read_text(encoding="utf-8")),
            "overlay": sha256_tree(Path(build.layout.overlay)),
            "Python": build.tools.pythons[python],
            "metadata": hash_part(build.genai),
            "requirements": "; ".join(packing.requirements(build)),
            "recipe": hash_of(self.recipe_file),
        }

    def _make_wheel(self, python: str, into: Path) -> None:
        name = packing.filename(self.build, python)
        with self._compiler():
            run_all(genai_build.module_commands(self.build, python, into), f"build the module for Python {python}")
        materials = packing.materials_of(
            self.build,
            self.checkouts,
            self.recipe_file,
            inputs={"ORT_API_VERSION": str(ort_home.read_manifest(Path(self.build.ort_home)).api_version)},
            toolchain=toolchain(self.build),
            known=self.pins.sha256,
            dependencies=self.fetched.dependencies[source_name(self.build.genai.source)],
        )
        packing.write_project(self.build, into)
        run_all((packing.command(self.build, python, into, materials.epoch),), f"pack {name}")
        if not (into / name).is_file():
            raise StepFailedError(f"Packing ended well, but left no {name} in {into}.")
        packing.finish(self.build, into / name, materials)
        for leftover in ("build", "project", "payload", ".temporary"):
            remove_tree(into / leftover)

    @contextmanager
    def _compiler(self) -> Iterator[None]:
        """Put the compiler on PATH: on Windows, Visual Studio's environment, with an SDK that is new enough."""
        if self.build.zig:
            zig.write(self.build)
        if self.build.host.os != "windows":
            yield
            return
        from recipes.building import windows

        with windows.developer_environment(self.build.target.arch, self.build.host.arch):
            windows.check_current_sdk(self.build.recipe.toolchain.sdk_probes)
            yield
