"""One HTTP call, to the project's own application in this process or over the network; bounded in time and size."""

from healthguard.http_client.blocking import call_blocking
from healthguard.http_client.call import call
from healthguard.http_client.endpoint_call import EndpointCall, Headers, header_errors, url_errors
from healthguard.http_client.response import MAX_BODY, EndpointResponse, TransportError
from healthguard.http_client.target import Target

__all__ = [
    "MAX_BODY",
    "EndpointCall",
    "EndpointResponse",
    "Headers",
    "Target",
    "TransportError",
    "call",
    "call_blocking",
    "header_errors",
    "url_errors",
]
