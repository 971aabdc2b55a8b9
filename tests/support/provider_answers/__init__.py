"""The responses of the providers, with the bodies that they document or have been seen to send, and their meanings.

``{key}`` in a body stands for the key: a response may contain the key, and a report must not.
"""

from __future__ import annotations

from tests.support.provider_answers.answer import Answer, in_a_minute
from tests.support.provider_answers.anthropic_to_xai import ANTHROPIC_TO_XAI
from tests.support.provider_answers.bodies import MODELS
from tests.support.provider_answers.common import ANYBODYS
from tests.support.provider_answers.openrouter_to_elevenlabs import OPENROUTER_TO_ELEVENLABS

__all__ = ["ANSWERS", "ANYBODYS", "MODELS", "Answer", "in_a_minute"]

ANSWERS: dict[str, tuple[Answer, ...]] = {**ANTHROPIC_TO_XAI, **OPENROUTER_TO_ELEVENLABS}
"""The responses of each provider, in the order of the catalog."""
