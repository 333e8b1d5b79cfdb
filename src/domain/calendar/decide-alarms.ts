// Decides the alarms 48 hours and 2 hours before a cut-over: each records what is missing, or that the cut-over will be
// ready. Pure. Never sends anything: it decides which rows are written.

import { HOLDS, type Hold } from '../rollout/hold.js';
import type { DataCenterSnapshot, GateReading } from '../rollout/snapshot.js';
import { HOUR_MS } from '../time/duration.js';
import { localDate } from '../time/local-date.js';
import { type DueChange, type DueKind, type DueRow, decideEnd, formatLocalInstant } from './due-work.js';

/** The alarms, first one first, with how long before the cut-over they are due, in ms. */
export const ALARMS = [
  { work: 'alarm_48h', beforeMs: 48 * HOUR_MS },
  { work: 'alarm_2h', beforeMs: 2 * HOUR_MS },
] as const satisfies readonly { readonly work: DueKind; readonly beforeMs: number }[];

/** Only whether the gate is armed and latched matters. */
type KnownGate = Pick<GateReading, 'effectiveAt' | 'latchedAt'>;

/**
 * The alarms that a cut-over still has: with an armed gate only the first, which records that; with a latched one none.
 */
export function listAlarms({ effectiveAt, latchedAt }: KnownGate): readonly (typeof ALARMS)[number][] {
  if (latchedAt !== null) return [];
  return effectiveAt === null ? ALARMS : ALARMS.slice(0, 1);
}

export interface AlarmFacts {
  readonly zone: string;
  /** The configured instant, as pinned or postponed; null: none, and no alarms. */
  readonly cutoverAt: Date | null;
  /** When that instant was pinned or last moved: an alarm that was due before then is left out. Null: long ago. */
  readonly setAt: Date | null;
  /** Its alarm rows, in any order. */
  readonly rows: readonly DueRow[];
  /** Its gate as it was last read. */
  readonly gate: KnownGate;
  /** What is missing for it to be ready in time (listMissing); empty: nothing. An armed gate lacks nothing. */
  readonly missing: readonly string[];
  readonly now: Date;
}

/**
 * The alarm rows to write now, each in its final state: `ran` or `caught_up`, with a note of what is missing or that
 * nothing is; `missed` when no scheduler ran before the next alarm, or the cut-over, was due. At most one per kind and
 * local date. Throws invalid_zone.
 */
export function decideAlarms(facts: AlarmFacts): readonly DueChange[] {
  const { cutoverAt, setAt, gate, now } = facts;
  if (cutoverAt === null) return [];
  const missing = gate.effectiveAt === null ? facts.missing : [];
  return listAlarms(gate).flatMap(({ work, beforeMs }, index, alarms): readonly DueChange[] => {
    const dueAt = new Date(cutoverAt.getTime() - beforeMs);
    const over = new Date(cutoverAt.getTime() - (alarms[index + 1]?.beforeMs ?? 0));
    if (now < dueAt || (setAt !== null && setAt > dueAt)) return [];
    const date = localDate(dueAt, facts.zone);
    if (facts.rows.some((row) => row.work === work && row.localDate === date)) return [];
    const dueLocal = formatLocalInstant(dueAt, facts.zone);
    const row = { kind: 'insert', work, localDate: date, dueAt, dueLocal } as const;
    return now < over
      ? [{ ...row, state: decideEnd(dueAt, now), note: describe(missing) }]
      : [{ ...row, state: 'missed', note: `no scheduler ran in time; detected at ${now.toISOString()}` }];
  });
}

/** An alarm that needs somebody's attention. */
export const isAlarming = (change: DueChange): boolean =>
  change.kind === 'insert' && change.work !== 'reconcile' && change.note?.startsWith(READY) !== true;

const READY = 'it will be ready';

const describe = (missing: readonly string[]): string =>
  missing.length === 0 ? READY : `it will not be ready: ${missing.join('; ')}`;

/** Why a data center will not be ready at its cut-over, in words; empty: it is done, or will be by then. */
export function listMissing(dc: DataCenterSnapshot, holds: readonly Hold[]): readonly string[] {
  const needingPerson = holds.filter((hold) => hold.needsPerson).map((hold) => HOLDS[hold.code].meaning);
  // without its cell no gate is armed
  const away = dc.cell?.kind === 'unreachable' ? [HOLDS.cell_unreachable.meaning] : [];
  return [...missingStage(dc), ...new Set([...away, ...needingPerson])];
}

function missingStage({ stage, requested, bakeUntil, cutoverAt }: DataCenterSnapshot): readonly string[] {
  switch (stage) {
    case 'done':
      return requested ? ['another rollout of it was asked for'] : [];
    case 'baking': {
      const late = bakeUntil !== null && cutoverAt !== null && bakeUntil > cutoverAt;
      return late ? [`it bakes until ${bakeUntil.toISOString()}`] : [];
    }
    case 'pending':
    case 'aborted':
    case 'failed':
    case 'undone':
      return [requested ? 'its rollout has not begun' : `its rollout was not asked for (stage ${stage})`];
    default:
      return [`its rollout is under way (stage ${stage})`];
  }
}
