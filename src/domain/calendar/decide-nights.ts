// Decides which nightly rows a data center must have: one per local date, whatever was lost, doubled or late. Pure.
// Never starts a nightly run: it decides which one is due and which were missed.

import { addLocalDays, listLocalDates, localDate } from '../time/local-date.js';
import { recurringInstant } from '../time/recurring-instant.js';
import type { DueRow } from './due-work.js';
import { type DueChange, type DueInsert, formatLocalInstant } from './due-work.js';

export interface NightFacts {
  readonly zone: string;
  /** `reconcile.at`, local `HH:MM`. */
  readonly at: string;
  /** Since when it has nights: when it was done for the first time; null: it has none yet, unless there are rows. */
  readonly since: Date | null;
  /** Its nightly rows, the newest at least; dates before the first of them are over. In any order. */
  readonly rows: readonly DueRow[];
  /** Why the night that is due does not run: the code of its hold; null: nothing holds it. */
  readonly heldBy: string | null;
  /** Control's clock. */
  readonly now: Date;
}

/**
 * What to write so that every local date whose night has come has its one row: the newest `due`, and every older one
 * that did not begin `missed`. A date that the zone skipped has none. Throws invalid_instant, invalid_zone.
 */
export function decideNights(facts: NightFacts): readonly DueChange[] {
  const nights = facts.rows.filter((row) => row.work === 'reconcile');
  const come = listNights(facts, nights);
  const newest = [...nights, ...come]
    .map((night) => night.localDate)
    .sort()
    .at(-1);
  const missed = nights
    .filter((row) => row.state === 'due' && row.localDate !== newest)
    .map(({ work, localDate }): DueChange => ({ kind: 'miss', work, localDate, note: notRun(facts.heldBy) }));
  return [...missed, ...come.map((night) => (night.localDate === newest ? night : asMissed(night, facts.now)))];
}

/** The night of a local date; null when the zone skipped the date. Throws invalid_instant, invalid_zone. */
export function findNight(date: string, { zone, at }: Pick<NightFacts, 'zone' | 'at'>): DueInsert | null {
  const dueAt = recurringInstant(date, at, zone);
  if (dueAt === null) return null;
  const dueLocal = formatLocalInstant(dueAt, zone);
  return { kind: 'insert', work: 'reconcile', localDate: date, dueAt, dueLocal, state: 'due', note: null };
}

/** Nights that have come and have no row, oldest first. */
function listNights(facts: NightFacts, rows: readonly DueRow[]): readonly DueInsert[] {
  const known = new Set(rows.map((row) => row.localDate));
  const [oldest] = [...known].sort();
  const begin = oldest ?? (facts.since && localDate(facts.since, facts.zone));
  if (begin === null) return [];
  // a time of day in a gap at midnight settles on the next local date
  const first = oldest ?? addLocalDays(begin, -1);
  const found: DueInsert[] = [];
  for (const date of listLocalDates(first, localDate(facts.now, facts.zone))) {
    const night = known.has(date) ? null : findNight(date, facts);
    if (night === null || night.dueAt > facts.now) continue;
    if (oldest === undefined && facts.since !== null && night.dueAt < facts.since) continue;
    found.push(night);
  }
  return found;
}

const asMissed = (night: DueInsert, now: Date): DueInsert => ({
  ...night,
  state: 'missed',
  note: `no scheduler ran before the next night was due; detected at ${now.toISOString()}`,
});

const notRun = (heldBy: string | null): string =>
  `it could not run before the next night was due: ${heldBy ?? 'nothing held it at the end'}`;
