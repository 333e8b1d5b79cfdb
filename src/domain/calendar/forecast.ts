// When each data center can begin and be done at the earliest: by order, pause, start date, windows and bake. Pure.
// Never guesses how long a rollout takes: it gives the instant before which it cannot happen.
import { SLOT_STAGES } from '../rollout/stage.js';
import { findFirstOpening } from '../windows/first-opening.js';
import type { CalendarFacts } from './calendar-event.js';

export interface Forecast {
  /** Data centers that it waits for, in their order. */
  readonly after: readonly string[];
  /** When it can begin at the earliest; null: it has begun, or nothing will let it. */
  readonly startAt: Date | null;
  /** When it can be done at the earliest; null: nothing will make it. */
  readonly doneAt: Date | null;
}

/** By data center. One that is not requested is computed as if it were requested now. Throws invalid_zone. */
export function forecastRollout(facts: readonly CalendarFacts[], now: Date): ReadonlyMap<string, Forecast> {
  const inOrder = facts.toSorted((a, b) => a.position - b.position);
  const found = new Map<string, Forecast>();
  for (const dc of inOrder) found.set(dc.id, forecastOne(dc, inOrder, found, now));
  return found;
}

function forecastOne(
  dc: CalendarFacts,
  all: readonly CalendarFacts[],
  found: ReadonlyMap<string, Forecast>,
  now: Date,
): Forecast {
  if (dc.stage === 'done' && !dc.requested) return { after: [], startAt: null, doneAt: dc.doneAt ?? now };
  const pauseEnd = dc.intent === 'pause' ? dc.pausedUntil : now;
  // until a person resumes it
  const isHeld = pauseEnd === null;
  if (dc.stage === 'baking')
    return { after: [], startAt: null, doneAt: isHeld ? null : latest([now, pauseEnd, dc.bakeUntil]) };
  if (SLOT_STAGES.includes(dc.stage))
    return { after: [], startAt: null, doneAt: isHeld ? null : bakedAfter(dc, latest([now, pauseEnd])) };
  const before = all.filter((other) => other.position < dc.position && isBefore(other, dc));
  const elsewhere = all.filter((other) => other.id !== dc.id && SLOT_STAGES.includes(other.stage));
  const after = [...new Set([...before, ...elsewhere])].map(({ id }) => id);
  const ends = before.map(({ id }) => found.get(id)?.doneAt ?? null);
  if (isHeld || ends.some((end) => end === null)) return { after, startAt: null, doneAt: null };
  const startAt = findFirstOpening(dc.windows, dc.zone, latest([now, pauseEnd, dc.notBefore?.at ?? null, ...ends]));
  return { after, startAt, doneAt: startAt && new Date(startAt.getTime() + dc.bakeMs) };
}

/** `dc` does not begin until `other` is done; a failed one is to be retried first. */
const isBefore = (other: CalendarFacts, dc: CalendarFacts): boolean =>
  other.requested ||
  other.stage === 'baking' ||
  other.stage === 'failed' ||
  SLOT_STAGES.includes(other.stage) ||
  (!dc.requested && other.stage !== 'done');

function bakedAfter({ windows, zone, bakeMs }: CalendarFacts, now: Date): Date | null {
  const open = findFirstOpening(windows, zone, now);
  return open && new Date(open.getTime() + bakeMs);
}

const latest = (instants: readonly (Date | null)[]): Date =>
  new Date(Math.max(...instants.map((at) => at?.getTime() ?? Number.NEGATIVE_INFINITY)));
