// `pause`, `resume`, `abort`, `retry`: what the operator wants of one data center. Each shows what follows from it.

import { findDataCenter, type Program } from '../../compose.js';
import type { PauseEnd } from '../../domain/rollout/pause-end.js';
import { type DataCenterStatus, readStatus } from '../../engine/operate/read-status.js';
import {
  isAcknowledged,
  type LockHolder,
  readFenceHolders,
  setIntentAndWait,
} from '../../engine/operate/set-intent.js';
import { retryRun } from '../../engine/rollout/retry-run.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { withProgram } from '../processes/with-program.js';
import { showCount, showInstant, showOrgs } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import { showPauseEnd } from '../views/show-state.js';

export interface IntentFlags {
  readonly dc: string;
  readonly revision?: number;
  /** Of `pause`. */
  readonly for?: string;
  readonly until?: string;
}

/** What every one of these commands is about. */
interface Target {
  readonly dataCenter: string;
  readonly reason: string | null;
  readonly revision: number | undefined;
  readonly end: PauseEnd | undefined;
}

type Operation = (session: CliSession, program: Program, target: Target) => Promise<number>;
export type IntentVerb = keyof typeof OPERATIONS;

const OPERATIONS = { pause, resume, abort, retry } as const satisfies Record<string, Operation>;

export function runIntent(session: CliSession, verb: IntentVerb, flags: IntentFlags): Promise<number> {
  const end = chooseEnd(flags);
  const { dc, revision } = flags;
  const { reason } = session.options;
  return withProgram(session, { policy: 'warned' }, (program) =>
    OPERATIONS[verb](session, program, { dataCenter: findDataCenter(program.config, dc).id, reason, revision, end }),
  );
}

function chooseEnd({ for: duration, until }: IntentFlags): PauseEnd | undefined {
  if (duration !== undefined && until !== undefined)
    throw new RolloutError('invalid_argument', {
      message: 'Both --for and --until were given.',
      next: 'Give one of them.',
    });
  if (duration !== undefined) return { kind: 'for', text: duration };
  return until === undefined ? undefined : { kind: 'until', text: until };
}

async function pause(session: CliSession, program: Program, target: Target): Promise<number> {
  const { dataCenter } = target;
  const report = await setIntentAndWait(program.engine, { ...target, intent: 'pause' });
  const state = report.fenceConfirmedClosed ? 'paused' : 'pausing';
  const holders = report.fenceConfirmedClosed ? [] : await readFenceHolders(program.engine, dataCenter).catch(() => []);
  const resumeCommand = session.commands.show(command`resume --dc ${dataCenter}`);
  session.report(
    {
      ...{ dataCenter, state, stage: report.stage, quiet: report.fenceConfirmedClosed, holders },
      ...{ revision: report.revision, until: report.pause?.until ?? null, next: resumeCommand },
    },
    [
      report.fenceConfirmedClosed
        ? `‖ ${dataCenter}: paused; its fence is closed, so no batch of ours can commit`
        : `‖ ${dataCenter}: pausing; its fence is not closed yet`,
      ...withPrintableTexts(holders).map(showHolder),
      ...(report.pause === null ? [] : [`    ${showPauseEnd(report.pause)}`]),
      `Next: ${resumeCommand}`,
    ].join('\n'),
  );
  // `pause && …` must not go on before the pause is proven
  return report.fenceConfirmedClosed ? 0 : 4;
}

export const showHolder = ({ pid, since, application }: LockHolder): string =>
  `    held by session ${pid}${application === '' ? '' : ` (${application})`}${since === null ? '' : `, since ${showInstant(since)}`}`;

async function resume(session: CliSession, program: Program, { end: _, ...target }: Target): Promise<number> {
  const { dataCenter } = target;
  const report = await setIntentAndWait(program.engine, { ...target, intent: 'run' });
  const next = session.commands.show('status --watch');
  session.report(
    { dataCenter, state: 'running', stage: report.stage, revision: report.revision, next },
    `▶ ${dataCenter}: continues (stage ${report.stage})\nNext: ${next}`,
  );
  return 0;
}

async function abort(session: CliSession, program: Program, { end: _, ...target }: Target): Promise<number> {
  const { dataCenter } = target;
  const report = await setIntentAndWait(program.engine, { ...target, intent: 'abort' });
  // it is aborted, whether or not what is done can be counted now
  const status = await readStatus(program.engine).catch(() => undefined);
  const dc = status?.dataCenters.find(({ id }) => id === dataCenter);
  const ended = isAcknowledged(report);
  const state = !ended ? 'aborting' : report.stage === 'aborted' ? 'aborted' : 'withdrawn';
  const next = session.commands.show(ended ? command`apply --dc ${dataCenter}` : command('status'));
  const remains = status === undefined ? UNKNOWN : describeRemains(dc, state);
  session.report(
    { dataCenter, state, stage: report.stage, revision: report.revision, next, ...remains.counts },
    [`■ ${dataCenter}: ${state}`, `    ${remains.sentence}`, `Next: ${next}`].join('\n'),
  );
  return ended ? 0 : 4;
}

interface Remains {
  readonly counts: { readonly orgsDone: number | null; readonly orgsUntouched: number | null };
  readonly sentence: string;
}

const UNKNOWN: Remains = {
  counts: { orgsDone: null, orgsUntouched: null },
  sentence: 'What is done stays as it is, floors included; it cannot be counted now.',
};

function describeRemains(dc: DataCenterStatus | undefined, state: string): Remains {
  const done = dc?.progress?.orgsDone ?? 0;
  const untouched = Math.max(0, (dc?.progress?.orgsExpected ?? 0) - done);
  const counts = { orgsDone: done, orgsUntouched: untouched };
  if (state === 'withdrawn')
    return { counts, sentence: 'It had not begun. Nothing was written, and the request is withdrawn.' };
  const rest = dc?.progress ? `${showOrgs(untouched)} untouched keep` : 'all others are untouched and keep';
  const sentence = `${showOrgs(done)} that are done stay as they are, floors included; ${rest} their legacy limit.`;
  return { counts, sentence };
}

async function retry(session: CliSession, program: Program, { dataCenter, reason, revision }: Target): Promise<number> {
  const { pending } = await retryRun(program.engine, dataCenter, reason, { revision });
  const next = session.commands.show('status --watch');
  const what = pending > 0 ? `${showCount(pending)} ranges are pending` : 'only its verification is repeated';
  session.report({ dataCenter, pending, next }, `▶ ${dataCenter}: continues; ${what}\nNext: ${next}`);
  return 0;
}
