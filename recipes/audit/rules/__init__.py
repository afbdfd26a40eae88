"""All rules: importing this package declares them; CHECKS are run on every wheel, in the order of the documentation."""

from __future__ import annotations

from recipes.audit.rules import (
    archive,
    genai,
    imports,
    leaks,
    legal,
    linux,
    machine,
    naming,
    pairing,
    processors,
    record,
    reproducible,
    requirements,
    sbom,
)
from recipes.audit.surroundings import Check

CHECKS: tuple[Check, ...] = (
    *archive.CHECKS,
    *record.CHECKS,
    *naming.CHECKS,
    *machine.CHECKS,
    *imports.CHECKS,
    *genai.CHECKS,
    *pairing.CHECKS,
    *processors.CHECKS,
    *requirements.CHECKS,
    *linux.CHECKS,
    *leaks.CHECKS,
    *legal.CHECKS,
    *sbom.CHECKS,
    *reproducible.CHECKS,
)
