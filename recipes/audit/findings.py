"""What an audit says: rules with an id, a severity, an explanation and a remedy, and findings that break them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Severity(Enum):
    """How bad a finding is: an error must not be shipped, a warning should be looked at, an info is a fact to know."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that an audit found: in which wheel (file name), where inside it, what, and what to do about it."""

    rule: str
    severity: Severity
    wheel: str
    message: str
    remedy: str
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Something that every wheel is checked for; `family` groups rules in the documentation."""

    id: str
    family: str
    severity: Severity
    title: str
    explanation: str
    remedy: str

    def finding(
        self, wheel: str, message: str, *, where: str = "", remedy: str = "", severity: Severity | None = None
    ) -> Finding:
        """Return a finding of this rule; `remedy` and `severity` replace the rule's where the case at hand differs."""
        return Finding(
            rule=self.id,
            severity=severity or self.severity,
            wheel=wheel,
            message=message,
            remedy=remedy or self.remedy,
            where=where,
        )


@dataclass(frozen=True, kw_only=True)
class Family:
    """A named group of rules, one per module of `recipes.audit.rules`."""

    title: str
    rules: dict[str, Rule] = field(default_factory=dict)

    def rule(self, rule_id: str, severity: Severity, title: str, explanation: str, remedy: str) -> Rule:
        """Declare a rule of this family. Raise ValueError when its id is taken."""
        if rule_id in REGISTRY:
            raise ValueError(f"two rules are called {rule_id}")
        made = Rule(
            id=rule_id, family=self.title, severity=severity, title=title, explanation=explanation, remedy=remedy
        )
        self.rules[rule_id] = made
        REGISTRY[rule_id] = made
        return made


REGISTRY: dict[str, Rule] = {}
"""Every declared rule by its id, in order of declaration; complete once `recipes.audit.rules` is imported."""


def worst(findings: list[Finding]) -> Severity | None:
    """Return the highest severity among the findings, or None when there are none."""
    return max((f.severity for f in findings), key=lambda s: s.rank, default=None)
