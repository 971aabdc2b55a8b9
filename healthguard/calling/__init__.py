"""One HTTP call: to the project's own application, in this process, or over the network; bounded in time and size."""

from healthguard.calling.answer import MAX_BODY, Answer, NoAnswerError
from healthguard.calling.asked import Asked, Headers, flaws, header_flaws
from healthguard.calling.call import call
from healthguard.calling.target import Target

__all__ = ["MAX_BODY", "Answer", "Asked", "Headers", "NoAnswerError", "Target", "call", "flaws", "header_flaws"]
