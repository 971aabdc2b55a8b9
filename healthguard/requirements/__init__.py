"""The needs of a declaration that its environment must meet: plain data, which no Django is needed to read or judge."""

from healthguard.requirements.database import DatabaseRequirement
from healthguard.requirements.key import KeyRequirement
from healthguard.requirements.requirement import Judgement, Requirement, Requirements
from healthguard.requirements.secret_key import SecretKeyRequirement
from healthguard.requirements.variable import VariableRequirement

__all__ = [
    "DatabaseRequirement",
    "Judgement",
    "KeyRequirement",
    "Requirement",
    "Requirements",
    "SecretKeyRequirement",
    "VariableRequirement",
]
