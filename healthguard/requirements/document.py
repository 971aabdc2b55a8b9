"""The requirements of a declaration as a JSON file, which a repository contains for its pipelines.

The file has one object per requirement, in a stable order, so that a change is readable in a diff.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any, NoReturn

from healthguard.requirements.entries import entry_of, requirement_in
from healthguard.requirements.fields import Fields, RequirementsError
from healthguard.requirements.requirement import Requirements

VERSION = 1
"""The version of the format."""
DEFAULT_FILE = "healthguard-requirements.json"
"""The name of the file by default."""
MAX_BYTES = 1_000_000
"""The largest file that is read (bytes). A requirement takes about 200."""

_GENERATE = "Write it with: python manage.py healthguard requirements"


def to_json(requirements: Requirements) -> str:
    """Return the text of the file. The same declaration always has the same text.

    Raises:
        RequirementsError: a requirement cannot be written.
    """
    entries = sorted(
        map(entry_of, requirements.variables), key=lambda entry: (entry["names"], json.dumps(entry, sort_keys=True))
    )
    document = {
        "version": VERSION,
        "deadline": requirements.deadline,
        "drain_file": requirements.drain_file,
        "mount_paths": sorted(set(requirements.mount_paths)),
        "variables": entries,
    }
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    # A check of the project may state anything. Reject it here, and not in the pipeline that reads the file.
    from_json(text, "The requirements")
    return text


def from_json(text: str, file: str = DEFAULT_FILE) -> Requirements:
    """Return the requirements in the text of a file.

    Args:
        text: the text.
        file: the name of the file, for errors.

    Raises:
        RequirementsError: the text is not that of such a file. The error names the file and the field.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(file)
    fields = Fields(_parsed(text, file), file)
    version = fields.raw("version")
    if isinstance(version, bool) or version != VERSION:
        raise fields.error("version", f"must be {VERSION}; this version of healthguard reads no other. {_GENERATE}")
    variables = tuple(
        requirement_in(entry, f"{file}: variables[{position}]")
        for position, entry in enumerate(fields.items("variables"))
    )
    requirements = Requirements(
        variables, fields.texts("mount_paths", ()), fields.seconds("deadline"), fields.optional_text("drain_file")
    )
    if any(path != path.strip("/") for path in requirements.mount_paths):
        raise fields.error("mount_paths", "must not have slashes at the ends of a path")
    fields.finish()
    return requirements


def read_file(path: str) -> str:
    """Return the text of a file, whose line ends may be those of any system.

    Raises:
        RequirementsError: the file cannot be read, or cannot be a file of requirements.
        FileNotFoundError: the file does not exist.
    """
    try:
        # Opening a pipe would wait for its writer.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RequirementsError(f"{path} is not a regular file.")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise RequirementsError(f"{path} cannot be read: {reason}.") from None
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise RequirementsError(f"{path} is not UTF-8. {_GENERATE}.") from None


def read_requirements(path: str) -> Requirements:
    """Return the requirements in a file.

    Raises:
        RequirementsError: the file is missing, cannot be read, or is invalid.
    """
    try:
        text = read_file(path)
    except FileNotFoundError:
        raise RequirementsError(f"{path} does not exist. {_GENERATE}.") from None
    return from_json(text, path)


def _parsed(text: str, file: str) -> object:
    def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise RequirementsError(f"{file} has an object with two fields of the same name. {_GENERATE}.")
        return values

    def reject(constant: str) -> NoReturn:
        raise RequirementsError(f"{file} contains {constant}, which is not JSON. {_GENERATE}.")

    try:
        return json.loads(text, object_pairs_hook=without_repetition, parse_constant=reject)
    except json.JSONDecodeError as error:
        raise RequirementsError(f"{file}, line {error.lineno}, is not valid JSON. {_GENERATE}.") from None
    except RecursionError:
        raise RequirementsError(f"{file} is nested too deeply. {_GENERATE}.") from None
    except ValueError:
        raise RequirementsError(f"{file} contains a number that is too long. {_GENERATE}.") from None


def _too_large(file: str) -> RequirementsError:
    return RequirementsError(f"{file} is larger than {MAX_BYTES // 1000} kB, so it is not a file of requirements.")
