// What the checks hold in a data center: the start, writes, verification, the end of the bake. Never a failure, and
// never what counts as stalled.
import { holdsReads } from '../checks/check.js';
import { GOOD_SAMPLES, readEffectiveLanes } from '../checks/decide-throttle.js';
import {
  type CheckReading,
  findWorst,
  judgeReading,
  MAX_AGE_MS,
  showCheckLimit,
  showReading,
} from '../checks/reading.js';
import { byCommand, byWaiting, createHold, type Hold } from './hold.js';
import type { CellChecks, DataCenterSnapshot } from './snapshot.js';

type Scope = 'write' | 'read';

/** The lanes that may work now; null: nothing is known of its checks, so none slows it. */
export function effectiveLanes(dc: Pick<DataCenterSnapshot, 'lanes' | 'cell'>, scope: Scope = 'write'): number | null {
  const checks = dc.cell?.kind === 'read' ? dc.cell.checks : undefined;
  return checks === undefined || checks.readings.length === 0
    ? null
    : readEffectiveLanes(checks[scope], dc.lanes, checks.now);
}

/** Workers read the checks only while something may be written or verified. */
export const areChecksRead = ({ cell }: Pick<DataCenterSnapshot, 'cell'>): boolean =>
  cell?.kind === 'read' && cell.fence.state !== 'closed';

/** Why no lane may work now; undefined: one may, or the work has only just begun. */
export function throttleHold(dc: DataCenterSnapshot, idleMs: number, scope: Scope): Hold | undefined {
  const checks = dc.cell?.kind === 'read' ? dc.cell.checks : undefined;
  if (checks === undefined || effectiveLanes(dc, scope) !== 0) return undefined;
  const age = ageMs(checks, scope);
  if (Math.abs(age) > MAX_AGE_MS) return idleMs > MAX_AGE_MS ? noSample(dc.id, age) : undefined;
  const obeyed = scope === 'write' ? checks.readings : checks.readings.filter(({ check }) => holdsReads(check.name));
  const worst = findWorst(obeyed, checks.now);
  if (worst === undefined || judgeReading(worst, checks.now) !== 'pass')
    return worst && toHold(dc.id, worst, checks.now, 'throttled');
  return createHold('throttled', AFTER_LIMIT, showReading(worst), showCheckLimit(worst.check));
}

/** How long ago work could go on again, where it was held until then; the time is not idle. */
export function msSinceHeld({ cell }: Pick<DataCenterSnapshot, 'cell'>, scope: Scope): number {
  const checks = cell?.kind === 'read' ? cell.checks : undefined;
  const changedAt = checks?.[scope].changedAt;
  return checks === undefined || changedAt == null
    ? Number.POSITIVE_INFINITY
    : checks.now.getTime() - changedAt.getTime();
}

/** Of the checks that hold the start or the end of the bake, the first that does not pass. */
export function askedHold({ id, cell }: Pick<DataCenterSnapshot, 'id' | 'cell'>): Hold | undefined {
  const checks = cell?.kind === 'read' ? cell.checks : undefined;
  const held = checks?.asked.find((reading) => judgeReading(reading, checks.now) !== 'pass');
  return checks === undefined || held === undefined ? undefined : toHold(id, held, checks.now, 'check_failed');
}

const ageMs = ({ now, ...throttles }: CellChecks, scope: Scope): number => {
  const { sampledAt } = throttles[scope];
  return sampledAt === null ? Number.POSITIVE_INFINITY : now.getTime() - sampledAt.getTime();
};

/** Every check is below its limit again: what held them last could come back at once. */
const AFTER_LIMIT = byWaiting(`it goes on by itself after ${GOOD_SAMPLES} readings in a row that are well below it`);

const LIMIT = `${MAX_AGE_MS / 1_000} s`;

const noSample = (id: string, age: number): Hold =>
  createHold(
    'no_data',
    byCommand('doctor', '--dc', id),
    Number.isFinite(age) ? `not sampled for ${Math.round(age / 1_000)} s` : 'not sampled yet',
    LIMIT,
  );

/** Codes that pass by themselves: a statement that took too long, a connection that broke. */
const PASSING = ['57014', '55P03', 'connection_lost', 'no_answer', 'retry', 'too_slow', 'unreachable', 'resources'];

function toHold(id: string, reading: CheckReading, now: Date, code: 'throttled' | 'check_failed'): Hold {
  if (judgeReading(reading, now) !== 'no_data')
    return createHold(
      code,
      byWaiting('it goes on by itself once the check passes'),
      showReading(reading),
      showCheckLimit(reading.check),
    );
  const without = `settings set checks.${reading.check.name} off --dc ${id} --emergency`;
  const release = {
    ...byCommand('doctor', '--dc', id),
    after: ` shows what the check lacks; to go on without it for two hours, ${without}`,
  };
  const needsPerson = reading.error !== null && !PASSING.includes(reading.error);
  return { ...createHold('no_data', release, showReading(reading), LIMIT), needsPerson };
}
