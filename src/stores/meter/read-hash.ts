// Hashes of a meter's Redis as the usage of days; see script-parts.ts for their form. Slots of calls are left out.
import type { DayState } from '../../domain/meter/decide-call.js';
import type { DayUsage, KindUsage } from '../../domain/meter/usage.js';
import { PackedList } from './packed-list.js';

const DAY_LENGTH = 'YYYY-MM-DD'.length;
const STATE_FIELD = 0x73;
const KIND_FIELD = 0x2b;
const SHADOW_FIELD = 0x77;
const OTHER_FIELD = 0x6f;
/** Where they lie in the state. */
const PEAK_AT = 42;
const CAPACITY_AT = 45;
const MODEL_AT = 60;

/** I7 of Lua's struct; every value is below 2^53. */
const readNumber = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at) + bytes.readUIntLE(at + 4, 3) * 2 ** 32;

/** A field and its value lie in the same bytes, or each in its own. */
interface Field {
  readonly names: Buffer;
  readonly from: number;
  readonly to: number;
  readonly values: Buffer;
  readonly at: number;
}

/** The fields of one hash. */
class HashFields {
  private state: Pick<Field, 'values' | 'at'> | undefined;
  private shadow: Pick<Field, 'values' | 'at'> | undefined;
  private otherCapacity: number | null = null;
  private readonly kinds: [string, KindUsage][] = [];

  add(field: Field): void {
    const { names, from, to, values, at } = field;
    const first = names[from];
    if (first === KIND_FIELD)
      this.kinds.push([
        names.toString('utf8', from + 1, to),
        { calls: readNumber(values, at), credits: readNumber(values, at + 7) },
      ]);
    else if (to - from > 1) return;
    else if (first === STATE_FIELD) this.state = field;
    else if (first === SHADOW_FIELD) this.shadow = field;
    else if (first === OTHER_FIELD) this.otherCapacity = readNumber(values, at);
  }

  /** Undefined: the hash has no state, since no call came. */
  toUsage(orgId: string, day: string): DayUsage | undefined {
    if (this.state === undefined) return undefined;
    const { values, at } = this.state;
    const { shadow } = this;
    return {
      orgId,
      day,
      model: (values[at + MODEL_AT] ?? 0) % 2 === 0 ? 'legacy' : 'credits',
      calls: readNumber(values, at),
      credits: readNumber(values, at + 7),
      callsGivenBack: readNumber(values, at + 14),
      creditsGivenBack: readNumber(values, at + 21),
      refusedByCredits: readNumber(values, at + 28),
      refusedByConcurrency: readNumber(values, at + 35),
      peakInFlight: values.readUIntLE(at + PEAK_AT, 3),
      shadowByCredits: shadow === undefined ? 0 : readNumber(shadow.values, shadow.at),
      shadowByConcurrency: shadow === undefined ? 0 : readNumber(shadow.values, shadow.at + 7),
      kinds: Object.fromEntries(this.kinds),
    };
  }

  toCapacities(): Pick<DayState, 'capacity' | 'otherCapacity'> {
    const number = this.state === undefined ? 0 : readNumber(this.state.values, this.state.at + CAPACITY_AT);
    return { capacity: number === 0 ? null : number - 1, otherCapacity: this.otherCapacity };
  }
}

export interface FoundUsage extends Pick<DayState, 'capacity' | 'otherCapacity'> {
  readonly usage: DayUsage;
}

/** A hash as HGETALL gives it; undefined: no call came. */
export function readDay(orgId: string, day: string, hash: readonly Buffer[]): FoundUsage | undefined {
  const fields = new HashFields();
  for (let at = 0; at + 1 < hash.length; at += 2) {
    const [names, values] = [hash[at], hash[at + 1]];
    if (names !== undefined && values !== undefined) fields.add({ names, from: 0, to: names.length, values, at: 0 });
  }
  const usage = fields.toUsage(orgId, day);
  return usage && { usage, ...fields.toCapacities() };
}

/** `DAY:ORG` and its hash, in turn, packed. */
export function readCollected(packed: Buffer): readonly DayUsage[] {
  const days: DayUsage[] = [];
  const list = new PackedList(packed);
  for (let left = list.takeListLength(); left > 0; left -= 2) {
    const member = list.takeText();
    const fields = new HashFields();
    for (let fieldsLeft = list.takeListLength(); fieldsLeft > 0; fieldsLeft -= 2) {
      const from = list.skipBytes();
      const to = list.position();
      fields.add({ names: packed, from, to, values: packed, at: list.skipBytes() });
    }
    const usage = fields.toUsage(member.slice(DAY_LENGTH + 1), member.slice(0, DAY_LENGTH));
    if (usage !== undefined) days.push(usage);
  }
  return days;
}
