// What a zone's offset was, remembered while calendars are simulated: Intl answers slowly, and is asked the same thing
// millions of times. Zones have changed their clocks at whole quarters of an hour only, in the years that are
// simulated, and never there and back within six hours: where both ends of six hours agree, all between them does.
import { IANAZone } from 'luxon';

const QUARTER_MS = 15 * 60_000;
const QUARTERS = 24; // of six hours

/** Returns what makes every call ask Intl again. */
export function rememberOffsets(): () => void {
  const ask = IANAZone.prototype.offset;
  const known = new Map<string, Map<number, number>>();
  const findOffset = (zone: IANAZone, quarter: number): number => {
    const ofZone = known.get(zone.name) ?? new Map<number, number>();
    known.set(zone.name, ofZone);
    const offset = ofZone.get(quarter) ?? ask.call(zone, quarter * QUARTER_MS);
    ofZone.set(quarter, offset);
    return offset;
  };
  IANAZone.prototype.offset = function (this: IANAZone, at: number): number {
    const quarter = Math.floor(at / QUARTER_MS);
    const begin = Math.floor(quarter / QUARTERS) * QUARTERS;
    const offset = findOffset(this, begin);
    return offset === findOffset(this, begin + QUARTERS) ? offset : findOffset(this, quarter);
  };
  return () => {
    IANAZone.prototype.offset = ask;
  };
}
