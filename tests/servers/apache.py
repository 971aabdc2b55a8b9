"""Apache with mod_wsgi in daemon mode. The module comes from the package mod_wsgi, built for the Python of the tests.

The module of a Linux distribution cannot be used, because it is built for the Python of that distribution.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.unprivileged import NOBODY
from tests.support.sites import REPOSITORY

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])

_SERVER = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {module}
WSGISocketPrefix {folder}/wsgi
WSGIRestrictEmbedded On
"""
_USER = f"""
User #{NOBODY}
Group #{NOBODY}
"""
_VIRTUAL_HOST = """
Listen 127.0.0.1:{port}
WSGIDaemonProcess {name} processes=2 threads=4 {options} python-home={home} python-path={path}
<VirtualHost 127.0.0.1:{port}>
    WSGIScriptAlias / {folder}/site_wsgi.py process-group={name} application-group=%{{GLOBAL}}
    WSGICallableObject {callable_name}
    <Directory {folder}>
        Require all granted
    </Directory>
</VirtualHost>
"""


@dataclasses.dataclass(frozen=True)
class VirtualHost:
    """A site with its own daemon processes.

    Args:
        name: the name of the process group.
        folder: the folder of the site.
        port: the port it listens on.
        callable_name: the name of the WSGI application in ``site_wsgi.py``.
        options: further options of WSGIDaemonProcess.
    """

    name: str
    folder: Path
    port: int
    callable_name: str
    options: str = ""


def missing() -> str:
    """Return the reason why Apache cannot be run; empty if it can."""
    if shutil.which("apache2", path=_PATH) is None:
        return "Apache (apache2) is not installed."
    if importlib.util.find_spec("mod_wsgi") is None:
        return "mod_wsgi was not built. Install apache2-dev, remove .venv-servers and run 'make servers' again."
    return ""


def command(folder: Path, hosts: Sequence[VirtualHost]) -> list[str]:
    """Write the configuration to ``folder`` and return the command that starts Apache with it."""
    module = _output(str(Path(sys.executable).with_name("mod_wsgi-express")), "module-location")
    text = _SERVER.format(folder=folder, modules=_output("apxs", "-q", "LIBEXECDIR"), module=module)
    if os.geteuid() == 0:
        text += _USER
    for host in hosts:
        places = {"home": sys.prefix, "path": f"{host.folder}{os.pathsep}{REPOSITORY}"}
        text += _VIRTUAL_HOST.format(**dataclasses.asdict(host), **places)
    configuration = folder / "apache.conf"
    configuration.write_text(text)
    return [str(shutil.which("apache2", path=_PATH)), "-D", "FOREGROUND", "-f", str(configuration)]


def _output(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()
