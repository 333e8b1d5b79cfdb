// `pause`, `resume`, `abort`, `retry`: what the operator wants of one data center. Each shows what follows from it.

import { findDataCenter, type Program } from '../../compose.js';
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
import { withProgram } from '../processes/with-program.js';
import { showCount, showInstant, showOrgs } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';

type Operation = (session: CliSession, program: Program, dataCenter: string) => Promise<number>;

const OPERATIONS = { pause, resume, abort, retry } as const satisfies Record<string, Operation>;

export function runIntent(session: CliSession, verb: keyof typeof OPERATIONS, dc: string): Promise<number> {
  return withProgram(session, { policy: 'warned' }, (program) =>
    OPERATIONS[verb](session, program, findDataCenter(program.config, dc).id),
  );
}

async function pause(session: CliSession, program: Program, dataCenter: string): Promise<number> {
  const { reason } = session.options;
  const report = await setIntentAndWait(program.engine, { dataCenter, intent: 'pause', reason });
  const state = report.fenceConfirmedClosed ? 'paused' : 'pausing';
  const holders = report.fenceConfirmedClosed ? [] : await readFenceHolders(program.engine, dataCenter).catch(() => []);
  const resumeCommand = session.commands.show(command`resume --dc ${dataCenter}`);
  session.report(
    { dataCenter, state, stage: report.stage, quiet: report.fenceConfirmedClosed, holders, next: resumeCommand },
    [
      report.fenceConfirmedClosed
        ? `‖ ${dataCenter}: paused; its fence is closed, so no batch of ours can commit`
        : `‖ ${dataCenter}: pausing; its fence is not closed yet`,
      ...withPrintableTexts(holders).map(showHolder),
      `Next: ${resumeCommand}`,
    ].join('\n'),
  );
  // `pause && …` must not go on before the pause is proven
  return report.fenceConfirmedClosed ? 0 : 4;
}

export const showHolder = ({ pid, since, application }: LockHolder): string =>
  `    held by session ${pid}${application === '' ? '' : ` (${application})`}${since === null ? '' : `, since ${showInstant(since)}`}`;

async function resume(session: CliSession, program: Program, dataCenter: string): Promise<number> {
  const { reason } = session.options;
  const report = await setIntentAndWait(program.engine, { dataCenter, intent: 'run', reason });
  const next = session.commands.show('status --watch');
  session.report(
    { dataCenter, state: 'running', stage: report.stage, next },
    `▶ ${dataCenter}: continues (stage ${report.stage})\nNext: ${next}`,
  );
  return 0;
}

async function abort(session: CliSession, program: Program, dataCenter: string): Promise<number> {
  const { reason } = session.options;
  const report = await setIntentAndWait(program.engine, { dataCenter, intent: 'abort', reason });
  // it is aborted, whether or not what is done can be counted now
  const status = await readStatus(program.engine).catch(() => undefined);
  const dc = status?.dataCenters.find(({ id }) => id === dataCenter);
  const ended = isAcknowledged(report);
  const state = !ended ? 'aborting' : report.stage === 'aborted' ? 'aborted' : 'withdrawn';
  const next = session.commands.show(ended ? command`apply --dc ${dataCenter}` : command('status'));
  const remains = status === undefined ? UNKNOWN : describeRemains(dc, state);
  session.report(
    { dataCenter, state, stage: report.stage, next, ...remains.counts },
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

async function retry(session: CliSession, program: Program, dataCenter: string): Promise<number> {
  const { pending } = await retryRun(program.engine, dataCenter, session.options.reason);
  const next = session.commands.show('status --watch');
  const what = pending > 0 ? `${showCount(pending)} ranges are pending` : 'only its verification is repeated';
  session.report({ dataCenter, pending, next }, `▶ ${dataCenter}: continues; ${what}\nNext: ${next}`);
  return 0;
}
