// `verify` for people: whether the stored allotments hold, and what has changed since.
import type { VerifyReport } from '../engine/verify-data-center.js';
import type { CommandNames } from './show-command.js';
import { showCount } from './show-number.js';

export function showVerification(report: VerifyReport, commands: CommandNames): string {
  const { dataCenter, checked, mismatches, changedSince, appeared, gone } = report;
  const verdict =
    mismatches === 0
      ? `✔ ${dataCenter}: ${showCount(checked)} allotments checked, every one follows the rule`
      : `✖ ${dataCenter}: ${showCount(mismatches)} of ${showCount(checked)} allotments break the rule`;
  return [
    verdict,
    `    changed in the source since: ${showCount(changedSince)} · new there: ${showCount(appeared)} · gone there: ${showCount(gone)}`,
    ...(mismatches === 0 ? [] : [`    next: ${commands.show('doctor')}`]),
  ].join('\n');
}
