// `meter enforce`: whether limits of calls refuse, only count, or do nothing.
import { findDataCenter } from '../../compose.js';
import type { Enforce } from '../../domain/meter/decide-call.js';
import { type EnforcementReport, type EnforcementWish, setEnforcement } from '../../engine/usage/set-enforcement.js';
import { command } from '../../kernel/advice.js';
import { showName, withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { showInstant } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';

export interface EnforceFlags {
  readonly dc: string;
  readonly org?: string;
  readonly credits?: EnforcementWish;
  readonly concurrency?: EnforcementWish;
  readonly execute?: boolean;
}

export function runEnforce(session: CliSession, flags: EnforceFlags): Promise<number> {
  const { dc, org: orgId = null, credits, concurrency, execute } = flags;
  rejectInherit(flags);
  if (execute === true && credits === undefined && concurrency === undefined)
    throw new RolloutError('invalid_argument', {
      message: 'Nothing is changed: neither --credits nor --concurrency is given.',
      next: 'Give one of them, or leave --execute out to see what limits do now.',
    });
  return withProgram(session, {}, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    const reason = execute === true ? getReason(session, 'What limits do') : null;
    const report = await setEnforcement(program.engine, { dataCenter, orgId, credits, concurrency }, reason);
    const next = session.commands.show(
      report.executed
        ? command`usage --dc ${dataCenter}`
        : command`meter enforce --dc ${dataCenter} … --execute --reason TEXT`,
    );
    session.report({ ...report, next }, showEnforcement(withPrintableTexts(report), next));
    return 0;
  });
}

/** @throws invalid_argument */
function rejectInherit({ org, credits, concurrency }: EnforceFlags): void {
  if (org !== undefined || (credits !== 'inherit' && concurrency !== 'inherit')) return;
  throw new RolloutError('invalid_argument', {
    message: 'A data center has nothing to inherit from: "inherit" is for one org.',
    next: 'Give off, shadow or on, or name the org with --org.',
  });
}

const MEANING = { off: 'off', shadow: 'shadow (only counted)', on: 'on (calls are refused)' } as const;

function showEnforcement(report: EnforcementReport, next: string): string {
  const { dataCenter, orgId, before, after, own, lastChange, executed } = report;
  const line = (limit: keyof Enforce): string => {
    const from = orgId === null || own.after[limit] !== undefined ? '' : ', as the data center has it';
    const change = before[limit] === after[limit] ? '' : ` (was ${before[limit]})`;
    return `    ${limit.padEnd(11)} ${MEANING[after[limit]]}${from}${change}`;
  };
  return [
    `${executed ? '✔' : '·'} limits of ${orgId === null ? 'all orgs' : `org ${showName(orgId)}`} in ${dataCenter}`,
    line('credits'),
    line('concurrency'),
    ...(lastChange === null ? [] : [`    changed before by ${showName(lastChange.by)}, ${showInstant(lastChange.at)}`]),
    '',
    executed ? 'It is stored, and gateways follow within 10 s.' : 'Nothing was changed.',
    `Next: ${next}`,
  ].join('\n');
}
