// What a zone's offset was, remembered while calendars are simulated: Intl answers slowly, and is asked the same thing
// millions of times. Zones have changed their clocks at whole quarters of an hour only, in the years that are
// simulated.
import { IANAZone } from 'luxon';

const QUARTER_MS = 15 * 60_000;

/** Returns what makes every call ask Intl again. */
export function rememberOffsets(): () => void {
  const ask = IANAZone.prototype.offset;
  const known = new Map<string, Map<number, number>>();
  IANAZone.prototype.offset = function (this: IANAZone, at: number): number {
    const ofZone = known.get(this.name) ?? new Map<number, number>();
    known.set(this.name, ofZone);
    const quarter = Math.floor(at / QUARTER_MS);
    const offset = ofZone.get(quarter) ?? ask.call(this, at);
    ofZone.set(quarter, offset);
    return offset;
  };
  return () => {
    IANAZone.prototype.offset = ask;
  };
}
