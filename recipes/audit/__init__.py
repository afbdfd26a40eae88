"""`invoke audit`: no wheel leaves unproven.

`audit_wheels` reads wheels without installing them and returns findings; `require_clean` turns errors among them into
an AuditError. The rules are in `recipes.audit.rules`, one module for each family.
"""

from recipes.audit.auditing import audit_wheels, require_clean
from recipes.audit.findings import Finding, Severity

__all__ = ["Finding", "Severity", "audit_wheels", "require_clean"]
