"""The bodies that responses of several providers share."""

from __future__ import annotations

from typing import Any

MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "any", "object": "model"}]}
"""The list of models that a gateway returns."""
HTML = {"Content-Type": "text/html"}
CLOUDFLARE = (
    b"<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body>{key}</body></html>"
)
NGINX = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body></html>"
HOTEL = b"<!doctype html><title>Sign in to the hotel's Wi-Fi</title>"


def model_list(*names: str) -> dict[str, Any]:
    """Return a list of models as OpenAI's API formats it."""
    data = [{"id": name, "object": "model", "created": 1700000000, "owned_by": "organization"} for name in names]
    return {"object": "list", "data": data}


def openai_error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    """Return an error as OpenAI's API formats it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
