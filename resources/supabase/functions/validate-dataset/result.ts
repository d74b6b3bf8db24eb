// A report as the columns of the datasets table. Errors decide the verdict, warnings never do. Pure.
import type { CheckReport } from "./check.ts";
import { writable } from "./sample.ts";

/** The result of a check that came to its end. `isProved`: every byte was compared with the client's checksums. */
export function resultOf(report: CheckReport, isProved: boolean): Record<string, unknown> {
  const { counts, statistics } = report;
  const errors = counts.error;
  return {
    status: errors ? "error" : "ready",
    total_training_pairs: statistics.training_pairs,
    total_tokens: statistics.tokens,
    avg_turns_per_conversation: statistics.avg_turns_per_conversation,
    avg_tokens_per_turn: statistics.avg_tokens_per_turn,
    validation_errors: {
      counts,
      counts_by_code: report.counts_by_code,
      total: report.findings_total,
      findings: report.findings.map((finding) => ({
        ...finding,
        path: writable(finding.path),
        message: writable(finding.message),
        suggestion: writable(finding.suggestion),
      })),
      checksums_compared: isProved,
    },
    sample_data: report.sample,
    error_message: errors ? `The file has ${errors} ${errors === 1 ? "error" : "errors"}.` : null,
  };
}

/** The result of a dataset whose file could not be checked. */
export function failure(message: string): Record<string, unknown> {
  return { status: "error", error_message: message };
}
