"""What is wrong with a dataset file, and what is in it: the check before an upload. No network.

`check_file` reads one file in the calling thread; `lorry.core.checks.worker` does so in a process of its own.
"""

from lorry.core.checks.preflight import MAX_FILE_BYTES, CheckStopped, check_file
from lorry.core.checks.report import Finding, Report
from lorry.core.checks.rulebook import RULE_OF_CODE, RULES, Level, Rule

__all__ = [
    "MAX_FILE_BYTES",
    "RULES",
    "RULE_OF_CODE",
    "CheckStopped",
    "Finding",
    "Level",
    "Report",
    "Rule",
    "check_file",
]
