// Maps a local wall-clock time to instants: one, none (a gap) or two (an overlap).
// Uses only the zone's offsets around that time, never the current offset or the machine's zone.

import { IANAZone } from 'luxon';
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { HOUR_MS } from './duration.js';

/** Offsets are within ±14 h, so every instant with this local time is within the margin. */
const MARGIN_MS = 16 * HOUR_MS;

/** Milliseconds since 1970-01-01T00:00 of a wall clock, as if it showed UTC. */
export type LocalMs = number;

/** What a wall-clock time means in a zone. */
export type LocalReading =
  | { readonly kind: 'exact'; readonly instant: Date }
  | { readonly kind: 'overlap'; readonly first: Date; readonly second: Date; readonly change: OffsetChange }
  | { readonly kind: 'gap'; readonly earlier: Date; readonly later: Date; readonly change: OffsetChange };

/** The instant at which a zone changes its offset, and what its clocks show just before and at it. */
export interface OffsetChange {
  readonly at: Date;
  readonly localBefore: LocalMs;
  readonly localAfter: LocalMs;
}

/** The instants at which clocks in `zone` (an IANA name) show a local time. Throws invalid_zone. */
export function readLocalTime(local: LocalMs, zone: string): LocalReading {
  const before = offsetMs(local - MARGIN_MS, zone);
  const after = offsetMs(local + MARGIN_MS, zone);
  if (before === after) return { kind: 'exact', instant: new Date(local - before) };
  const fits = [local - before, local - after].filter((at) => at + offsetMs(at, zone) === local).sort((a, b) => a - b);
  const [first, second] = fits;
  if (first !== undefined && second === undefined) return { kind: 'exact', instant: new Date(first) };
  const change = findChange(zone, { from: local - MARGIN_MS, to: local + MARGIN_MS, before, after });
  if (first === undefined || second === undefined) {
    return { kind: 'gap', earlier: new Date(local - after), later: new Date(local - before), change };
  }
  return { kind: 'overlap', first: new Date(first), second: new Date(second), change };
}

/**
 * The instant of a recurring time: in a gap the first instant after it, in an overlap the first one. Throws
 * invalid_zone.
 */
export function resolveRecurringTime(local: LocalMs, zone: string): Date {
  const reading = readLocalTime(local, zone);
  if (reading.kind === 'gap') return reading.change.at;
  return reading.kind === 'overlap' ? reading.first : reading.instant;
}

/**
 * resolveRecurringTime for many times of one date: takes milliseconds since its midnight, up to two days. Fast when the
 * offset does not change around the date. Throws invalid_zone.
 */
export function createDayClock(midnight: LocalMs, zone: string): (sinceMidnightMs: number) => Date {
  const offset = offsetMs(midnight - MARGIN_MS, zone);
  const steady = offset === offsetMs(midnight + 48 * HOUR_MS + MARGIN_MS, zone);
  return (since) => (steady ? new Date(midnight + since - offset) : resolveRecurringTime(midnight + since, zone));
}

/** What a wall clock in `zone` shows at `instant`. Throws invalid_zone. */
export function toLocalMs(instant: Date, zone: string): LocalMs {
  return instant.getTime() + offsetMs(instant.getTime(), zone);
}

/** `2025-10-06T00:00:00`. */
export function formatLocalMs(local: LocalMs): string {
  return new Date(local).toISOString().slice(0, 19);
}

/** How far `zone` is ahead of UTC at an instant; both in ms. Throws invalid_zone. */
export function offsetMs(at: number, zone: string): number {
  const offset = Math.round(IANAZone.create(zone).offset(at) * 60_000);
  if (Number.isNaN(offset)) {
    throw new RolloutError('invalid_zone', { message: `${quoteValue(zone)} is not a time zone.` });
  }
  return offset;
}

/** Two instants and their offsets, which differ; all in ms. */
interface ChangeSpan {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
}

/** The first change of the offset, to the second: zones use no finer step. */
export function findChange(zone: string, { from, to, before, after }: ChangeSpan): OffsetChange {
  let low = Math.floor(from / 1000);
  let high = Math.ceil(to / 1000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMs(middle * 1000, zone) === before) low = middle;
    else high = middle;
  }
  const at = high * 1000;
  return { at: new Date(at), localBefore: at + before, localAfter: at + after };
}
