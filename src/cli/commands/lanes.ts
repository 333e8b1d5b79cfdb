// `settings get`, `set`, `unset`: what an operator may change while a rollout runs, which is how many batches run at
// once. Without --execute it shows what would change, and the command with the revision that it saw.

import { findDataCenter } from '../../compose.js';
import { type LanesReport, listLanes, readLanes, setLanes } from '../../engine/operate/set-lanes.js';
import { advise, command } from '../../kernel/advice.js';
import { showName, withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { showInstant } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';

export interface GetLanesFlags {
  readonly name: string;
  readonly dc?: string;
}

export interface SetLanesFlags {
  readonly name: string;
  readonly dc: string;
  /** Left out: what was set is taken back. */
  readonly value?: string;
  readonly revision?: number;
  readonly execute?: boolean;
  /** Of a check only. */
  readonly emergency?: boolean;
}

const MAX_LANES = 32;

export function runGetLanes(session: CliSession, { name, dc }: GetLanesFlags): Promise<number> {
  rejectOther(name);
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const all = dc === undefined ? await listLanes(engine) : [await readLanes(engine, findDataCenter(config, dc).id)];
    session.report({ setting: name, dataCenters: all }, withPrintableTexts(all).map(showLanes).join('\n'));
    return 0;
  });
}

export function runSetLanes(session: CliSession, flags: SetLanesFlags): Promise<number> {
  rejectOther(flags.name);
  if (flags.emergency)
    throw new RolloutError('invalid_argument', {
      message: '--emergency is of a check; lanes need none.',
      next: 'Leave it out.',
    });
  const lanes = parseLanes(flags.value);
  const reason = flags.execute ? getReason(session, 'A change of a setting') : '';
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const dataCenter = findDataCenter(config, flags.dc).id;
    if (!flags.execute) return preview(session, await readLanes(engine, dataCenter), lanes);
    const report = await setLanes(engine, { dataCenter, lanes, reason, revision: flags.revision });
    const next = session.commands.show('status');
    session.report(
      { executed: true, ...report, next },
      `✔ ${showLanes(withPrintableTexts(report))}\nEach batch that begins from now on follows it.\nNext: ${next}`,
    );
    return 0;
  });
}

function preview(session: CliSession, now: LanesReport, lanes: number | null): number {
  const { dataCenter, revision } = now;
  const pending = now.set !== lanes;
  const verb = lanes === null ? command('settings unset lanes') : command`settings set lanes ${lanes}`;
  const next = pending
    ? session.commands.show(command`${verb} --dc ${dataCenter} --execute --revision ${revision} --reason TEXT`)
    : null;
  const to = lanes ?? now.requested;
  session.report(
    { executed: false, ...now, to, pending, next },
    [
      showLanes(withPrintableTexts(now)),
      next === null
        ? 'Nothing would change.'
        : `It would become ${to ?? 'what a rollout is requested with'}. Nothing was changed. To do it: ${next}`,
    ].join('\n'),
  );
  return pending && session.options.exitCode ? 2 : 0;
}

function showLanes({ dataCenter, lanes, set, setBy, setAt, requested }: LanesReport): string {
  const now = lanes === null ? 'no rollout was requested yet' : `${lanes} at once`;
  const why =
    set === null
      ? 'as requested'
      : `set by ${setBy === null ? '–' : showName(setBy)}${setAt === null ? '' : `, ${showInstant(setAt)}`}`;
  const beside = set === null || requested === null ? '' : `; requested: ${requested}`;
  return `${dataCenter}: lanes: ${now}${lanes === null ? '' : ` (${why}${beside})`}`;
}

function parseLanes(value: string | undefined): number | null {
  if (value === undefined) return null;
  const lanes = /^\d{1,2}$/u.test(value) ? Number(value) : 0;
  if (lanes >= 1 && lanes <= MAX_LANES) return lanes;
  throw new RolloutError('invalid_argument', {
    message: `lanes must be a whole number from 1 to ${MAX_LANES}, and "${value}" is not.`,
    next: 'To stop every batch, pause the data center.',
  });
}

/** Everything else that is a setting is of the policy, and needs two people. */
function rejectOther(name: string): void {
  if (name === 'lanes') return;
  throw new RolloutError('setting_unknown', {
    message: `"${name}" is no setting that one person changes at once: those are lanes and checks.NAME.`,
    next: advise`A setting of the policy is proposed: ${command('settings propose NAME VALUE')}`,
  });
}
