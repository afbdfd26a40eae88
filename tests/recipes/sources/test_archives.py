"""Archives come from the public place or a mirror, are recorded."""

from pathlib import Path

import pytest

from recipes.sources.archives import fetch_archive
from recipes.sources.checkout import PUBLIC_HOST
from recipes.sources.pins import Pins
from wheelhouse.errors import IntegrityError, NetworkError
from wheelhouse.files import sha256_bytes

URL = f"{PUBLIC_HOST}o/n/releases/a.tgz"


@pytest.fixture
def pins(tmp_path):
    return Pins(tmp_path / "r.toml")


@pytest.fixture
def mirror(tmp_path):
    place = tmp_path / "Zoë's mirror/o/n/releases/a.tgz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"content")
    return tmp_path / "Zoë's mirror"


@pytest.mark.parametrize("said", [str, "file://{}".format, Path.as_uri])
def test_from_a_folder_recorded_then_verified(pins, mirror, said):
    assert fetch_archive(URL, "n", pins, mirror=said(mirror)).read_bytes() == b"content"
    assert pins.sha256(URL) == sha256_bytes(b"content")
    (mirror / "o/n/releases/a.tgz").write_bytes(b"other")
    with pytest.raises(IntegrityError, match="is pinned"):
        fetch_archive(URL, "n", pins, mirror=said(mirror))


def test_a_wrong_pin_and_a_missing_file(pins, mirror):
    with pytest.raises(IntegrityError, match="is pinned"):
        fetch_archive(URL, "n", pins, sha256="0" * 64, mirror=str(mirror))
    with pytest.raises(NetworkError, match="The mirror has no"):
        fetch_archive(f"{PUBLIC_HOST}o/n/b.tgz", "n", pins, mirror=str(mirror))
    assert pins.sha256(URL) is None


@pytest.mark.parametrize(
    ("url", "mirror", "asked"),
    [
        (URL, "", URL),
        (URL, "https://mirror.invalid/gh/", "https://mirror.invalid/gh/o/n/releases/a.tgz"),
        ("https://nuget.invalid/a/1.0", "https://mirror.invalid/gh", "https://mirror.invalid/gh/nuget.invalid/a/1.0"),
    ],
)
def test_what_is_asked_for(pins, tmp_path, monkeypatch, url, mirror, asked):
    seen = []

    def fetch_url(file):
        seen.append(file.url)
        (tmp_path / file.filename).write_bytes(b"x")
        return tmp_path / file.filename

    monkeypatch.setattr("wheelhouse.downloads.fetch_url", fetch_url)
    assert fetch_archive(url, "n", pins, mirror=mirror).name.startswith("n-")
    assert seen == [asked]
