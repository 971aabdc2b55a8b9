"""The knowledge that the processes of one pod share: outcomes, runs in flight, and that the pod has been ready.

It is kept in files of a private folder. No process waits for another one that holds a lock: what is stored is complete
from the moment at which it has its name, and a lock only proves that a process is running.
"""
