// Reads a local date or time that happens once, so that it can be stored as UTC with its local text and zone.
// Rejects a time that does not exist or exists twice, and shows both candidates.

import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { addLocalDays, parseLocalDate, startOfLocalDate } from './local-date.js';
import { formatLocalMs, type LocalMs, type LocalReading, readLocalTime, toLocalMs } from './local-time.js';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/;
const WITH_OFFSET = /\d\d:\d\d.*(?:[Zz]|[+-]\d{1,2}(?::?\d{2})?|UTC|GMT)$/;

/** A local time and its instant. `instant` decides; `local` and `zone` are kept for people. */
export interface LocalInstant {
  readonly instant: Date;
  /** What a clock in `zone` shows at `instant`, `YYYY-MM-DDTHH:MM:SS`. */
  readonly local: string;
  readonly zone: string;
}

/**
 * Reads `YYYY-MM-DD` (the first instant of that local date) or `YYYY-MM-DD[T ]HH:MM[:SS]` in `zone`, an IANA name.
 * Throws invalid_instant, with both candidate instants for a time in a gap or an overlap; invalid_zone.
 */
export function parseLocalInstant(text: string, zone: string): LocalInstant {
  const instant = DATE.test(text) ? parseDate(text, zone) : parseDateTime(text, zone);
  return { instant, local: formatLocalMs(toLocalMs(instant, zone)), zone };
}

const EXACT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** As parseLocalInstant, or with an offset: `2025-10-06T22:00+05:30`, `…Z`. Throws invalid_instant, invalid_zone. */
export function parseInstant(text: string, zone: string): Date {
  if (!EXACT.test(text)) return parseLocalInstant(text, zone).instant;
  const instant = new Date(text.replace(' ', 'T').replace('z', 'Z'));
  // the local part is read apart: Date takes February 30 for March
  const [date = '', time = ''] = text.split(/[T ]/u);
  parseLocalInstant(`${date}T${time.slice(0, 5)}`, 'UTC');
  if (Number.isNaN(instant.getTime())) throw unreadable(text, zone);
  return instant;
}

function parseDate(text: string, zone: string): Date {
  const start = startOfLocalDate(text, zone);
  if (start !== null) return start;
  const candidates = [addLocalDays(text, -1), addLocalDays(text, 1)].map((date) => {
    const instant = startOfLocalDate(date, zone);
    return instant === null ? date : describeInstant(instant, zone);
  });
  throw new RolloutError('invalid_instant', {
    message: `The date ${text} does not exist in ${zone}: its clocks skipped it; candidates are ${candidates.join(' and ')}.`,
    next: 'Choose one of the dates that are shown.',
  });
}

function parseDateTime(text: string, zone: string): Date {
  const [, date, hours, minutes, seconds = '0'] = DATE_TIME.exec(text) ?? [];
  if (date === undefined) throw unreadable(text, zone);
  const local = parseLocalDate(date) + ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  const reading = readLocalTime(local, zone);
  if (reading.kind === 'exact') return reading.instant;
  throw undecided(local, reading, zone);
}

function unreadable(text: string, zone: string): RolloutError {
  const shown = quoteValue(text);
  if (WITH_OFFSET.test(text)) {
    return new RolloutError('invalid_instant', {
      message: `${shown} carries an offset, but times are local in ${zone}.`,
      next: 'Write the local time without the offset.',
    });
  }
  return new RolloutError('invalid_instant', {
    message: `${shown} is not a local date or time.`,
    next: 'Write 2025-10-06, or 2025-10-06T22:00.',
  });
}

function undecided(local: LocalMs, reading: Exclude<LocalReading, { kind: 'exact' }>, zone: string): RolloutError {
  const shown = formatLocalMs(local);
  const { localBefore, localAfter } = reading.change;
  const from = formatLocalMs(Math.min(localBefore, localAfter));
  const to = formatLocalMs(Math.max(localBefore, localAfter));
  const [problem, candidates] =
    reading.kind === 'gap'
      ? ['does not exist', [reading.earlier, reading.later]]
      : ['exists twice', [reading.first, reading.second]];
  return new RolloutError('invalid_instant', {
    message: `${shown} ${problem} in ${zone}; candidates are ${candidates
      .map((instant) => describeInstant(instant, zone))
      .join(' and ')}.`,
    next: `Write a local time before ${from} or from ${to} on.`,
  });
}

/** `2025-03-30T03:30:00 local = 2025-03-30T01:30:00Z`. */
function describeInstant(instant: Date, zone: string): string {
  return `${formatLocalMs(toLocalMs(instant, zone))} local = ${formatLocalMs(instant.getTime())}Z`;
}
