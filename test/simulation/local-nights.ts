// Which nights a zone has, read off its wall clock a quarter of an hour at a time: another way than the program's, for
// tests.
import { IANAZone } from 'luxon';

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const DAY_MS = 86_400_000;

/**
 * By local date, the first instant at which the wall clock has reached `at` on it; from `from` to `to`, both included.
 * Only for zones whose offsets are quarters of an hour then. A date that no clock shows has none.
 */
export function listLocalNights(zone: string, at: string, from: Date, to: Date): ReadonlyMap<string, Date> {
  const clock = IANAZone.create(zone);
  const nights = new Map<string, Date>();
  const [hour = 0, minute = 0] = at.split(':').map(Number);
  const atMs = (hour * 60 + minute) * MINUTE_MS;
  let furthest = Number.NEGATIVE_INFINITY;
  for (let t = Math.floor(from.getTime() / QUARTER_MS) * QUARTER_MS - 2 * DAY_MS; t <= to.getTime(); t += QUARTER_MS) {
    const wall = t + clock.offset(t) * MINUTE_MS;
    if (wall <= furthest) continue;
    if (t >= from.getTime() && furthest > Number.NEGATIVE_INFINITY)
      for (const midnight of new Set([furthest, wall].map((ms) => Math.floor(ms / DAY_MS) * DAY_MS))) {
        const night = midnight + atMs;
        if (furthest < night && night <= wall) nights.set(new Date(midnight).toISOString().slice(0, 10), new Date(t));
      }
    furthest = wall;
  }
  return nights;
}
