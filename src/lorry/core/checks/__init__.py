"""What is wrong with a dataset file, and what is in it: the check before an upload. No network.

`check_file` reads one file in the calling thread; `lorry.core.checks.worker` does so in a process of its own.
`plan_fixes`, `preview` and `write_fixed` are the safe fixes, `convert` makes conversation lines of other tools' files.
"""

from lorry.core.checks.conversions import (
    CONVERTIBLE,
    ConversionResult,
    NothingToConvertError,
    Omission,
    convert,
    converted_path,
)
from lorry.core.checks.conversions_rows import LeftOut
from lorry.core.checks.fixes import (
    BrokenFileError,
    Fix,
    FixKind,
    FixResult,
    Place,
    default_fixes,
    fixed_path,
    plan_fixes,
    preview,
    write_fixed,
)
from lorry.core.checks.formats import FOREIGN_NAMES
from lorry.core.checks.preflight import MAX_FILE_BYTES, CheckStopped, check_file
from lorry.core.checks.report import Finding, Report
from lorry.core.checks.rulebook import RULE_OF_CODE, RULES, Level, Rule

__all__ = [
    "CONVERTIBLE",
    "FOREIGN_NAMES",
    "MAX_FILE_BYTES",
    "RULES",
    "RULE_OF_CODE",
    "BrokenFileError",
    "CheckStopped",
    "ConversionResult",
    "Finding",
    "Fix",
    "FixKind",
    "FixResult",
    "LeftOut",
    "Level",
    "NothingToConvertError",
    "Omission",
    "Place",
    "Report",
    "Rule",
    "check_file",
    "convert",
    "converted_path",
    "default_fixes",
    "fixed_path",
    "plan_fixes",
    "preview",
    "write_fixed",
]
