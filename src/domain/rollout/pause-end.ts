// When a pause that ends by itself ends: after a duration, or at an instant. Pure.
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { DAY_MS, formatDuration, parseDuration } from '../time/duration.js';
import { parseInstant } from '../time/parse-instant.js';

/** `for`: an ISO 8601 duration. `until`: a date or time in the zone of the data center, or with an offset. */
export type PauseEnd =
  | { readonly kind: 'for'; readonly text: string }
  | { readonly kind: 'until'; readonly text: string };

/** The control database refuses more, too. */
const MAX_PAUSE_MS = 30 * DAY_MS;

/** After so long a pause without an end may be forgotten. */
export const LONG_PAUSE_MS = DAY_MS;

/** Throws invalid_duration, invalid_instant, and pause_too_long. */
export function decidePauseEnd(end: PauseEnd, zone: string, now: Date): Date {
  const until = end.kind === 'for' ? new Date(now.getTime() + parseDuration(end.text)) : parseInstant(end.text, zone);
  const ms = until.getTime() - now.getTime();
  if (ms <= 0)
    throw new RolloutError(end.kind === 'for' ? 'invalid_duration' : 'invalid_instant', {
      message: `A pause cannot end ${end.kind === 'for' ? `after ${quoteValue(end.text)}` : `at ${until.toISOString()}: it is ${now.toISOString()} now`}.`,
      next: 'Write a later end, such as --for PT2H.',
    });
  if (ms > MAX_PAUSE_MS)
    throw new RolloutError('pause_too_long', {
      message: `A pause until ${until.toISOString()} would last ${formatDuration(ms)}; at most 30 days are possible.`,
    });
  return until;
}
