// Work that falls due at a local time: one row per data center, kind and local date. Knows no database and no timer.
import { formatLocalMs, toLocalMs } from '../time/local-time.js';

export const DUE_KINDS = ['reconcile', 'alarm_48h', 'alarm_2h'] as const;
export type DueKind = (typeof DUE_KINDS)[number];

/** `ran`, `caught_up` and `missed` are final. */
export const DUE_STATES = ['due', 'running', 'ran', 'caught_up', 'missed'] as const;
export type DueState = (typeof DUE_STATES)[number];

/** A row of one data center as it is stored. */
export interface DueRow {
  readonly work: DueKind;
  /** `YYYY-MM-DD` in the zone of its data center. */
  readonly localDate: string;
  readonly dueAt: Date;
  readonly state: DueState;
}

/** A row that is not there yet. */
export interface DueInsert {
  readonly kind: 'insert';
  readonly work: DueKind;
  readonly localDate: string;
  readonly dueAt: Date;
  /** What a clock of its zone shows at `dueAt`, with the zone: `2025-10-06T00:15:00 Asia/Kolkata`. */
  readonly dueLocal: string;
  readonly state: Exclude<DueState, 'running'>;
  /** Why it was missed, or what an alarm found. */
  readonly note: string | null;
}

/** A row that is due, and will not be run. */
export interface DueMiss {
  readonly kind: 'miss';
  readonly work: DueKind;
  readonly localDate: string;
  readonly note: string;
}

/** What to write; an insert whose key exists is skipped: another scheduler was faster. */
export type DueChange = DueInsert | DueMiss;

/** Later than this after it was due is caught up, in ms. */
const CAUGHT_UP_AFTER_MS = 3_600_000;

/** The final state of work that was due at `dueAt`, began at `startedAt` and succeeded. */
export function decideEnd(dueAt: Date, startedAt: Date): 'ran' | 'caught_up' {
  return startedAt.getTime() - dueAt.getTime() > CAUGHT_UP_AFTER_MS ? 'caught_up' : 'ran';
}

/** `2025-10-06T00:15:00 Asia/Kolkata`. Throws invalid_zone. */
export function formatLocalInstant(at: Date, zone: string): string {
  return `${formatLocalMs(toLocalMs(at, zone))} ${zone}`;
}
