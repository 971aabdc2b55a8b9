"""The command ``python -m healthguard.probe URL``: one health request, for containers without curl.

Docker and kubelet start a new process for each probe. So this package imports only what the request needs: never
Django, nothing but the standard library, and neither ``typing`` nor ``http.client``, which are slow to import.
"""
