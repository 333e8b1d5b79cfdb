// `settings get|set|unset checks.NAME`: the limit of a check in one data center, stricter than the policy, or looser
// for two hours with --emergency. Without --execute it shows what would change, and the command with the revision.

import { findDataCenter } from '../../compose.js';
import type { LimitDecision } from '../../domain/checks/check-limit.js';
import {
  type CheckLimitReport,
  listAllCheckLimits,
  previewCheckLimit,
  readCheckLimits,
  setCheckLimit,
} from '../../engine/operate/set-check-limit.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showPolicyLimit, showReportedLimit } from '../views/show-check-limits.js';

export interface GetCheckFlags {
  /** Of the check; left out: all. */
  readonly name?: string;
  readonly dc?: string;
}

export interface SetCheckFlags {
  readonly name: string;
  readonly dc: string;
  /** Left out: what was set is taken back. */
  readonly value?: string;
  readonly emergency?: boolean;
  readonly revision?: number;
  readonly execute?: boolean;
}

/** The name of the check in `checks.lag`; '' for `checks`; undefined: it is another setting. */
export const findCheckName = (setting: string): string | undefined =>
  /^checks(?:\.(.*))?$/u.exec(setting) === null ? undefined : setting.slice('checks.'.length);

export function runGetChecks(session: CliSession, { name, dc }: GetCheckFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const reports =
      dc === undefined
        ? await listAllCheckLimits(engine, name)
        : await readCheckLimits(engine, findDataCenter(config, dc).id, name);
    session.report(
      { setting: name === undefined ? 'checks' : `checks.${name}`, dataCenters: reports },
      reports.length === 0 ? 'There are no checks.' : withPrintableTexts(reports).map(showReportedLimit).join('\n'),
    );
    return 0;
  });
}

export function runSetCheck(session: CliSession, flags: SetCheckFlags): Promise<number> {
  const { name, value = null, emergency = false, revision } = flags;
  const reason = flags.execute ? getReason(session, 'A change of a setting') : '';
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const request = { dataCenter: findDataCenter(config, flags.dc).id, name, value, emergency, revision };
    if (!flags.execute) return preview(session, flags, await previewCheckLimit(engine, request));
    const report = await setCheckLimit(engine, { ...request, reason });
    const next = session.commands.show('status');
    session.report(
      { executed: true, ...report, next },
      `✔ ${showReportedLimit(withPrintableTexts(report))}\nEach batch that begins from now on follows it.\nNext: ${next}`,
    );
    return 0;
  });
}

function preview(
  session: CliSession,
  { name, value, emergency }: SetCheckFlags,
  { now, decision }: { readonly now: CheckLimitReport; readonly decision: LimitDecision | null },
): number {
  const { dataCenter, revision } = now;
  const pending = decision === null ? now.set.length > 0 : !isSetAlready(now, decision);
  const setting = `checks.${name}`;
  const verb = value === undefined ? command`settings unset ${setting}` : command`settings set ${setting} ${value}`;
  const urgent = emergency ? command('--emergency') : undefined;
  const next = pending
    ? session.commands.show(
        command`${verb} --dc ${dataCenter} ${urgent} --execute --revision ${revision} --reason TEXT`,
      )
    : null;
  const to = decision === null ? now.ofPolicy : { limit: decision.limit, isOff: decision.limit === null };
  session.report(
    { executed: false, ...now, to, pending, next },
    [
      showReportedLimit(withPrintableTexts(now)),
      next === null
        ? 'Nothing would change.'
        : `It would become ${showPolicyLimit(name, to)}${emergency ? ' for two hours' : ''}. Nothing was changed. To do it: ${next}`,
    ].join('\n'),
  );
  return pending && session.options.exitCode ? 2 : 0;
}

/** What is loosened again begins its two hours again. */
const isSetAlready = ({ set }: CheckLimitReport, { kind, limit }: LimitDecision): boolean =>
  kind === 'tightened' && set.length === 1 && set.every((one) => one.kind === kind && one.limit === limit);
