// Hashes of a meter's Redis as the usage of days; see script-parts.ts for their form. Slots of calls are left out.
import type { DayUsage, KindUsage } from '../../domain/meter/usage.js';
import { unpackList } from './unpack-list.js';

const DAY_LENGTH = 'YYYY-MM-DD'.length;
const STATE_FIELD = 0x73;
const KIND_FIELD = 0x2b;
const SHADOW_FIELD = 0x77;
/** Where they lie in the state. */
const PEAK_AT = 42;
const MODEL_AT = 60;

/** I7 of Lua's struct; every value is below 2^53. */
const readNumber = (bytes: Buffer, at: number): number =>
  bytes.readUInt32LE(at) + bytes.readUIntLE(at + 4, 3) * 2 ** 32;

/** Undefined: the hash has no state, since no call came. */
export function readDayUsage(orgId: string, day: string, hash: readonly Buffer[]): DayUsage | undefined {
  let state: Buffer | undefined;
  let shadow: Buffer | undefined;
  const kinds: [string, KindUsage][] = [];
  for (let at = 0; at + 1 < hash.length; at += 2) {
    const [field, value] = [hash[at], hash[at + 1]];
    if (field === undefined || value === undefined) continue;
    if (field.length === 1 && field[0] === STATE_FIELD) state = value;
    else if (field.length === 1 && field[0] === SHADOW_FIELD) shadow = value;
    else if (field[0] === KIND_FIELD)
      kinds.push([field.toString('utf8', 1), { calls: readNumber(value, 0), credits: readNumber(value, 7) }]);
  }
  if (state === undefined) return undefined;
  return {
    orgId,
    day,
    model: (state[MODEL_AT] ?? 0) % 2 === 0 ? 'legacy' : 'credits',
    calls: readNumber(state, 0),
    credits: readNumber(state, 7),
    callsGivenBack: readNumber(state, 14),
    creditsGivenBack: readNumber(state, 21),
    refusedByCredits: readNumber(state, 28),
    refusedByConcurrency: readNumber(state, 35),
    peakInFlight: state.readUIntLE(PEAK_AT, 3),
    shadowByCredits: shadow === undefined ? 0 : readNumber(shadow, 0),
    shadowByConcurrency: shadow === undefined ? 0 : readNumber(shadow, 7),
    kinds: Object.fromEntries(kinds.sort(([one], [other]) => (one < other ? -1 : 1))),
  };
}

/** `DAY:ORG` and its hash, in turn, packed. */
export function readCollected(packed: Buffer): readonly DayUsage[] {
  const days: DayUsage[] = [];
  const listed = unpackList(packed);
  for (let at = 0; at + 1 < listed.length; at += 2) {
    const [member, hash] = [String(listed[at]), listed[at + 1]];
    if (hash === undefined || Buffer.isBuffer(hash)) continue;
    const usage = readDayUsage(member.slice(DAY_LENGTH + 1), member.slice(0, DAY_LENGTH), hash as readonly Buffer[]);
    if (usage !== undefined) days.push(usage);
  }
  return days;
}
