// A local time of day, `HH:MM`, without a date or a zone.

import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';

const CLOCK_TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** Milliseconds since midnight of `HH:MM` (00:00 to 23:59). Throws invalid_instant. */
export function parseClockTime(text: string): number {
  const [, hours, minutes] = CLOCK_TIME.exec(text) ?? [];
  if (hours === undefined || minutes === undefined) {
    throw new RolloutError('invalid_instant', {
      message: `${quoteValue(text)} is not a time of day.`,
      next: 'Write hours and minutes from "00:00" to "23:59", such as "00:15".',
    });
  }
  return (Number(hours) * 60 + Number(minutes)) * 60_000;
}
