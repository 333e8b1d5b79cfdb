// The cut-over of data centers for people: its instant in UTC and local, what its gate says, and who proposed what.
import type { CutoverState } from '../domain/cutover/cutover.js';
import { showPostponementId } from '../domain/cutover/postponement-id.js';
import { showReversalId } from '../domain/cutover/reversal-id.js';
import type { ExecutionReport } from '../engine/execute-cutover.js';
import type { PostponementRow } from '../engine/propose-postponement.js';
import type { ReversalRow } from '../engine/propose-reversal.js';
import type { CutoverReport } from '../engine/read-cutovers.js';
import { showInstant } from './show-number.js';

const MEANINGS: Readonly<Record<CutoverState, string>> = {
  none: 'no cut-over is pinned',
  planned: 'its gate is not armed yet; that happens when the data center is done',
  late: 'its instant has come and its gate is not armed: sign-ups stay on the legacy model until the data center is done',
  armed: 'its gate is armed: sign-ups start on credits by the clock of the cell',
  due: 'sign-ups start on credits; the latch waits for sign-ups that began before',
  latched: 'sign-ups start on credits for good; the sweep is to come',
  swept: 'sign-ups start on credits, and every org from before has been looked at',
};

export function showCutover(report: CutoverReport): string {
  const { dataCenter, zone, state, cutoverAt, gate, unreachable, holders, postponements, reversals } = report;
  const instants = [
    ['instant', cutoverAt],
    ['takes effect', gate.effectiveAt],
    ['latched', gate.latchedAt],
    ['swept', gate.sweptAt],
  ] as const;
  return [
    `${dataCenter}: ${state}; ${MEANINGS[state]}`,
    ...instants.flatMap(([word, at]) => (at === null ? [] : [`    ${word.padEnd(12)} ${showInstant(at, zone)}`])),
    ...(unreachable === null ? [] : [`    its cell cannot be read (${unreachable}): this is what control knew last`]),
    ...holders.map(showGateHolder),
    ...postponements.map((one) => `    ${showPostponement(one)}`),
    ...reversals.map((one) => `    ${showReversal(one)}`),
  ].join('\n');
}

const showGateHolder = ({ pid, since, application }: CutoverReport['holders'][number]): string =>
  `    held by ${pid === null ? 'a prepared transaction' : `session ${pid}`}${application === '' ? '' : ` (${application})`}${since === null ? '' : `, since ${showInstant(since)}`}`;

/** `in-c3: from … to …, applied; proposed by alice, approved by bob: reason`. */
export function showPostponement(row: PostponementRow): string {
  const { fromLocal, toLocal, state, author, approver, reason } = row;
  const moved = fromLocal === null ? `to ${toLocal}` : `from ${fromLocal} to ${toLocal}`;
  const by = `proposed by ${author}${approver === null ? '' : `, approved by ${approver}`}`;
  return `${showPostponementId(row)}: ${moved}, ${state}; ${by}: ${reason}`;
}

/** `in-r2: taken back from … to …, applied; proposed by alice, approved by bob: reason`. */
export function showReversal(row: ReversalRow): string {
  const { fromLocal, toLocal, state, author, approver, reason } = row;
  const by = `proposed by ${author}${approver === null ? '' : `, approved by ${approver}`}`;
  return `${showReversalId(row)}: taken back from ${fromLocal ?? 'its instant'} to ${toLocal}, ${state}; ${by}: ${reason}`;
}

export const reversalDocument = (row: ReversalRow, next: string): Readonly<Record<string, unknown>> => ({
  reversal: showReversalId(row),
  ...row,
  next,
});

export const postponementDocument = (row: PostponementRow, next: string): Readonly<Record<string, unknown>> => ({
  postponement: showPostponementId(row),
  ...row,
  next,
});

export function cutoverDocument(report: CutoverReport): Readonly<Record<string, unknown>> {
  const { gate, postponements, reversals, ...rest } = report;
  return {
    ...rest,
    ...gate,
    postponements: postponements.map((row) => ({ postponement: showPostponementId(row), ...row })),
    reversals: reversals.map((row) => ({ reversal: showReversalId(row), ...row })),
  };
}

export function showExecution({ dataCenter, outcome, effectiveAt, latchedAt, holders }: ExecutionReport): string {
  if (outcome === 'busy')
    return [
      `◷ ${dataCenter}: not latched yet; sign-ups that began before the instant have not ended`,
      ...holders.map(showGateHolder),
    ].join('\n');
  const since = effectiveAt === null ? '' : `; sign-ups start on credits since ${showInstant(effectiveAt)}`;
  const at = latchedAt === null ? '' : ` at ${showInstant(latchedAt)}`;
  return `✔ ${dataCenter}: latched${outcome === 'already' ? ' already' : ''}${at}${since}`;
}
