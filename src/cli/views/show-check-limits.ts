// Limits of checks as people read them: what holds in a data center, what the policy has, and who set what.
import { showCheckNumber } from '../../domain/checks/check.js';
import type { DataCenterStatus } from '../../engine/operate/read-status.js';
import type { CheckLimit, CheckLimitReport } from '../../engine/operate/set-check-limit.js';
import { showName } from '../../kernel/printable.js';
import { showInstant } from '../terminal/numbers.js';

/** `2 s`, `off`, or `true` for a query without a limit. */
export function showPolicyLimit(name: string, { limit, isOff }: CheckLimitReport['ofPolicy']): string {
  if (isOff) return 'off';
  return limit === null ? 'true' : showCheckNumber(name, limit);
}

export function showReportedLimit(report: CheckLimitReport): string {
  const { dataCenter, name, ofPolicy, set } = report;
  const policy = showPolicyLimit(name, ofPolicy);
  const why = set.length === 0 ? 'as the policy has it' : `the policy has ${policy}; ${set.map(showSet).join('; ')}`;
  return `${dataCenter}: checks.${name}: ${showPolicyLimit(name, report)} (${why})`;
}

/** `loosened to off until 2 May 12:00 by ana: the standby is rebuilt`. */
function showSet({ name, kind, limit, until, setBy, reason }: CheckLimit): string {
  const value = limit === null ? 'off' : showCheckNumber(name, limit);
  const end = until === null ? '' : ` until ${showInstant(until)}`;
  return `${kind === 'loosened' ? 'loosened to' : 'tightened to'} ${value}${end} by ${showName(setBy)}: ${reason}`;
}

/** Of `status`: what is looser than the policy first, since people must see it. */
export const showSetChecks = ({ checkLimits }: Pick<DataCenterStatus, 'checkLimits'>): readonly string[] =>
  checkLimits
    .toSorted((one, other) => one.kind.localeCompare(other.kind))
    .map((limit) => `      check ${limit.name} ${showSet(limit)}`);
