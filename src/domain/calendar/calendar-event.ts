// The facts that the calendar of a data center is computed from, and one entry of it. Types and values only.
import type { Advice } from '../../kernel/advice.js';
import type { Hold } from '../rollout/hold.js';
import type { GateReading } from '../rollout/snapshot.js';
import type { Intent, Stage } from '../rollout/stage.js';
import { formatLocalMs, toLocalMs } from '../time/local-time.js';
import type { WindowSpec } from '../windows/windows.js';
import type { DueRow, DueState } from './due-work.js';

/** A configured instant, pinned or still to be pinned by the first apply. */
export interface OneOff {
  readonly at: Date;
  /** Its local text and zone. */
  readonly local: string;
}

/** Facts of one data center; its settings are those of its last apply, or of the configuration before. */
export interface CalendarFacts {
  readonly id: string;
  readonly position: number;
  readonly zone: string;
  readonly stage: Stage;
  readonly intent: Intent;
  /** When its pause ends by itself; null: it is not paused, or a person ends it. */
  readonly pausedUntil: Date | null;
  readonly requested: boolean;
  readonly notBefore: OneOff | null;
  readonly cutover: OneOff | null;
  readonly windows: readonly WindowSpec[];
  readonly bakeMs: number;
  readonly bakeUntil: Date | null;
  /** `reconcile.at`, local `HH:MM`. */
  readonly nightAt: string;
  /** When it was done for the first time. */
  readonly doneAt: Date | null;
  readonly gate: GateReading;
  readonly holds: readonly Hold[];
  readonly rows: readonly (DueRow & { readonly note: string | null })[];
}

export const EVENT_KINDS = [
  'pause_ends',
  'not_before',
  'start',
  'bake_ends',
  'cutover',
  'alarm_48h',
  'alarm_2h',
  'night',
  'window_opens',
  'window_closes',
  'clock_change',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface CalendarEvent {
  readonly kind: EventKind;
  readonly at: Date;
  /** What a clock of its zone shows, `YYYY-MM-DDTHH:MM:SS`. */
  readonly local: string;
  /** `+05:30`: tells the two passes of an hour that comes twice apart. */
  readonly offset: string;
  /** `due_now`: its time has come and it has not happened. */
  readonly state: 'past' | 'due_now' | 'to_come' | DueState;
  /** It may be later: it waits for something that takes time. */
  readonly earliest: boolean;
  readonly note: string | Advice | null;
}

/** An event without its local time, which follows from its zone. */
export type EventSketch = Omit<CalendarEvent, 'local' | 'offset' | 'earliest' | 'note'> &
  Partial<Pick<CalendarEvent, 'earliest' | 'note'>>;

/** Throws invalid_zone. */
export function createEvent(zone: string, { earliest = false, note = null, ...sketch }: EventSketch): CalendarEvent {
  return { ...sketch, ...readClock(sketch.at, zone), earliest, note };
}

/** What a clock shows, with its offset. Throws invalid_zone. */
function readClock(at: Date, zone: string): { readonly local: string; readonly offset: string } {
  const local = toLocalMs(at, zone);
  const minutes = Math.round((local - at.getTime()) / 60_000);
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  const pad = (value: number): string => String(value).padStart(2, '0');
  return { local: formatLocalMs(local), offset: `${minutes < 0 ? '-' : '+'}${pad(hours)}:${pad(rest)}` };
}
