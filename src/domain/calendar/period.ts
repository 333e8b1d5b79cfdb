// The range of time that a calendar shows, as local dates or times of each zone.
import { RolloutError } from '../../kernel/rollout-error.js';
import { DAY_MS } from '../time/duration.js';
import { parseLocalInstant } from '../time/parse-instant.js';

/** `to` is not part of it. */
export interface Period {
  readonly from: Date;
  readonly to: Date;
}

const MAX_DAYS = 800;
const DEFAULT_DAYS = 14;

/**
 * `from` (left out: `now`) until `to` (left out: 14 days later), local in `zone`; a bare date is its first instant.
 * Throws invalid_instant, invalid_argument when it is empty or longer than 800 days.
 */
export function parsePeriod(
  { from, to }: { readonly from?: string | undefined; readonly to?: string | undefined },
  zone: string,
  now: Date,
): Period {
  const start = from === undefined ? now : parseLocalInstant(from, zone).instant;
  const end =
    to === undefined ? new Date(start.getTime() + DEFAULT_DAYS * DAY_MS) : parseLocalInstant(to, zone).instant;
  if (end <= start)
    throw new RolloutError('invalid_argument', {
      message: `The calendar from ${start.toISOString()} until ${end.toISOString()} (${zone}) is empty.`,
      next: 'Give a --to that is later than --from.',
    });
  if (end.getTime() - start.getTime() > MAX_DAYS * DAY_MS)
    throw new RolloutError('invalid_argument', {
      message: `The calendar from ${start.toISOString()} until ${end.toISOString()} is longer than ${MAX_DAYS} days.`,
      next: 'Give --from and --to that lie closer together.',
    });
  return { from: start, to: end };
}
