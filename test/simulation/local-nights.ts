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
  let furthest = '';
  for (let t = Math.floor(from.getTime() / QUARTER_MS) * QUARTER_MS - 2 * DAY_MS; t <= to.getTime(); t += QUARTER_MS) {
    const wall = new Date(t + clock.offset(t) * MINUTE_MS).toISOString().slice(0, 16);
    if (wall <= furthest) continue;
    for (const date of new Set([furthest.slice(0, 10), wall.slice(0, 10)])) {
      const night = `${date}T${at}`;
      if (date !== '' && furthest < night && night <= wall && t >= from.getTime()) nights.set(date, new Date(t));
    }
    furthest = wall;
  }
  return nights;
}
