// Reads ISO 8601 durations and shows durations to people. Never months or years: they have no fixed length.

import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';

const ISO = /^P(?:(\d{1,7})W)?(?:(\d{1,7})D)?(?:T(?:(\d{1,7})H)?(?:(\d{1,7})M)?(?:(\d{1,7})S)?)?$/;
const CALENDAR_UNIT = /^P(?:\d+Y|(?:\d+Y)?\d+M)/;
const SHORTHAND = /^(\d{1,7}) ?(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)$/i;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
/** A day of a duration has 24 hours, also when local clocks change. */
export const DAY_MS = 24 * HOUR_MS;
const MAX_MS = 3660 * DAY_MS;
const EXAMPLES = 'PT30M, PT12H, P1DT6H or P30D';

/** Milliseconds of an ISO 8601 duration in weeks, days (24 h), hours, minutes, seconds. Throws invalid_duration. */
export function parseDuration(text: string): number {
  const match = ISO.exec(text);
  if (match === null || text.endsWith('T') || text === 'P') throw unreadable(text);
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const total =
    ((weeks ?? 0) * 7 + (days ?? 0)) * DAY_MS +
    (hours ?? 0) * HOUR_MS +
    (minutes ?? 0) * MINUTE_MS +
    (seconds ?? 0) * SECOND_MS;
  if (total > MAX_MS) {
    throw new RolloutError('invalid_duration', {
      message: `The duration ${quoteValue(text)} is longer than ten years.`,
      next: 'Write at most P3660D.',
    });
  }
  return total;
}

/** ISO 8601 in the largest units that are exact: `P30D`, `PT12H`, `PT1H30M`, `PT0S`. Whole seconds. */
export function formatIsoDuration(ms: number): string {
  if (ms > 0 && ms % DAY_MS === 0) return `P${ms / DAY_MS}D`;
  const parts = [
    { unit: 'H', value: Math.floor(ms / HOUR_MS) },
    { unit: 'M', value: Math.floor((ms % HOUR_MS) / MINUTE_MS) },
    { unit: 'S', value: Math.floor((ms % MINUTE_MS) / SECOND_MS) },
  ].filter(({ value }) => value > 0);
  return parts.length === 0 ? 'PT0S' : `PT${parts.map(({ unit, value }) => `${value}${unit}`).join('')}`;
}

/** For people, in at most two units: `2 h 5 min`, `3 d`, `45 s`, `250 ms`. A negative length shows as `0 s`. */
export function formatDuration(ms: number): string {
  const length = Math.max(0, ms);
  if (length > 0 && length < SECOND_MS && Math.round(length) < SECOND_MS) return `${Math.round(length)} ms`;
  const step = length < HOUR_MS ? SECOND_MS : length < DAY_MS ? MINUTE_MS : HOUR_MS;
  const rounded = Math.round(length / step) * step;
  const parts = [
    { unit: 'd', value: Math.floor(rounded / DAY_MS) },
    { unit: 'h', value: Math.floor((rounded % DAY_MS) / HOUR_MS) },
    { unit: 'min', value: Math.floor((rounded % HOUR_MS) / MINUTE_MS) },
    { unit: 's', value: Math.floor((rounded % MINUTE_MS) / SECOND_MS) },
  ].filter((part) => part.value > 0);
  return parts.length === 0 ? '0 s' : parts.map((part) => `${part.value} ${part.unit}`).join(' ');
}

function unreadable(text: string): RolloutError {
  const shown = quoteValue(text);
  if (CALENDAR_UNIT.test(text)) {
    return new RolloutError('invalid_duration', {
      message: `The duration ${shown} counts months or years, which have no fixed length.`,
      next: 'Count days instead, such as P30D.',
    });
  }
  const suggestion = suggestDuration(text);
  return new RolloutError('invalid_duration', {
    message: `${shown} is not an ISO 8601 duration.`,
    next: suggestion === undefined ? `Write one such as ${EXAMPLES}.` : `Write ${suggestion}.`,
  });
}

function suggestDuration(text: string): string | undefined {
  const upper = text.toUpperCase();
  if (upper !== text && upper !== 'P' && !upper.endsWith('T') && ISO.test(upper)) return upper;
  const [, count, unit] = SHORTHAND.exec(text) ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const letter = unit.charAt(0).toUpperCase();
  return letter === 'D' ? `P${count}D` : `PT${count}${letter}`;
}
