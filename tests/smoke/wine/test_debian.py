import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke.wine import places, recipe
from smoke.wine.parts import debian
from wheelhouse.errors import InputError, NetworkError, StepFailedError, ToolchainError, UnsupportedError

WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), min_size=1, max_size=20)


def test_the_recipe_decodes_and_its_lock_names_every_package_that_decides():
    wanted = recipe.load()
    locked = debian.parse(recipe.LOCK.read_text(encoding="utf-8"), "lock")
    assert set(wanted.decisive) <= set(locked)
    assert set(wanted.packages) <= set(locked)
    assert debian.upstream_version(locked["libwine"]) in wanted.tested_wine


@given(st.dictionaries(WORD, WORD, max_size=20))
def test_a_lock_file_is_read_as_it_was_written(packages):
    text = "# heading\n" + "".join(f"{name} {version}\n" for name, version in packages.items())
    assert debian.parse(text, "x") == packages


def test_a_line_of_another_form_is_named():
    with pytest.raises(InputError, match="lock, line 2"):
        debian.parse("wine 10\nwine\n", "lock")


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("10.0~repack-6", "10.0"), ("11.0-1", "11.0"), ("2:21.1.16-1.3+deb13u3", "21.1.16"), ("10.0+dfsg-1~bpo", "10.0")],
)
def test_upstream_versions(version, upstream):
    assert debian.upstream_version(version) == upstream


@pytest.fixture
def root(monkeypatch, tmp_path):
    """A root that holds the packages of the lock, `changes` apart."""
    locked = debian.parse(recipe.LOCK.read_text(encoding="utf-8"), "lock")
    said = []
    monkeypatch.setattr(debian, "warn", said.append)

    def make(**changes):
        places.root().mkdir(parents=True, exist_ok=True)
        here = {name: version for name, version in (locked | changes).items() if version}
        (places.root() / places.PACKAGES).write_text("".join(f"{n} {v}\n" for n, v in here.items()), encoding="utf-8")
        return said

    return make


def test_the_recorded_packages_are_nothing_to_talk_about(root):
    said = root()
    debian.verify(recipe.load())
    assert said == []


def test_what_has_moved_on_is_said_and_what_decides_by_name(root):
    said = root(**{"mesa-vulkan-drivers": "99-1", "make": ""})
    debian.verify(recipe.load())
    assert len(said) == 2
    assert "mesa-vulkan-drivers is 99-1, recorded was" in said[0]
    assert "2 packages differ" in said[1]


def test_an_untested_wine_is_refused_with_what_to_do(root):
    root(libwine="11.3~repack-1")
    with pytest.raises(UnsupportedError, match=r"now has Wine 11\.3") as caught:
        debian.verify(recipe.load())
    assert "tested-wine" in caught.value.remedy


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("E: Failed getting release file http://x/Release", NetworkError),
        ("Err:1 http://x trixie InRelease\n  Could not resolve 'x'", NetworkError),
        ("dpkg: error: post-installation script returned error exit status 1", StepFailedError),
    ],
)
def test_a_failure_of_the_network_is_told_from_others(monkeypatch, output, kind):
    def fail(command, *, log, **_):
        log.parent.mkdir(parents=True)
        log.write_text(output, encoding="utf-8")
        raise StepFailedError("ended with exit code 1", log=log)

    monkeypatch.setattr(debian, "run", fail)
    with pytest.raises(kind) as caught:
        debian._run(("false",), "apt", "apt")
    assert caught.value.log is not None


def test_without_debootstrap_nothing_is_tried(monkeypatch, tmp_path):
    monkeypatch.setattr(debian.shutil, "which", lambda _: None)
    with pytest.raises(ToolchainError, match="debootstrap") as caught:
        debian._debootstrap(tmp_path / "root", recipe.load())
    assert "apt-get install" in caught.value.remedy
    assert not (tmp_path / "root").exists()


def test_debootstraps_own_packages_are_installed_as_small_and_as_fast_as_the_others(monkeypatch, tmp_path):
    seen = []

    def run(argv, *_):
        seen.append((tmp_path / "root/etc/dpkg/dpkg.cfg.d/small").read_text(encoding="utf-8"))
        assert "--keep-debootstrap-dir" in argv
        (tmp_path / "root/debootstrap").mkdir()

    monkeypatch.setattr(debian, "_run", run)
    monkeypatch.setattr(debian, "KEYRING", tmp_path)
    monkeypatch.setattr(debian.shutil, "which", str)
    debian._debootstrap(tmp_path / "root", recipe.load())
    assert "force-unsafe-io" in seen[0]
    assert not (tmp_path / "root/debootstrap").exists()
