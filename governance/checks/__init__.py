"""External checks: named checkers that answer yes, no or not yet about a request, and callbacks by token."""

from governance.checks.checkers import Check, Checker, Finding, checker, failed, not_yet, passed

__all__ = ["Check", "Checker", "Finding", "checker", "failed", "not_yet", "passed"]
