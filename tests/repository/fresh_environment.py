"""A virtual environment in which this checkout is installed with ``pip install .``."""

from __future__ import annotations

import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

from tests.support.sites import REPOSITORY


class FreshEnvironment:
    """A new virtual environment that uses the dependencies of the environment that runs the tests.

    Args:
        folder: the folder in which it is created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = str(folder / "bin" / "python")
        self.site_packages = Path(self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (self.site_packages / "dependencies.pth").write_text("\n".join(dependencies))
        self.install_checkout()

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run the environment's Python and return its output."""
        done = subprocess.run(
            [self.python, *arguments], cwd=cwd or self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pip(self, *arguments: str) -> str:
        """Run pip in the environment and return its output."""
        return self.run("-m", "pip", "--disable-pip-version-check", *arguments)

    def install_checkout(self, *options: str) -> None:
        """Install this checkout without network access, with the hatchling that is already installed."""
        self.pip(
            "install", "--no-index", "--no-deps", "--no-build-isolation", "--no-compile", *options, str(REPOSITORY)
        )


def build_wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Build a wheel that contains ``files``, a mapping of paths to texts, and return its path."""
    stem = f"{name.replace('-', '_')}-9.9"
    files = {
        **files,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in [*files, record])
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
