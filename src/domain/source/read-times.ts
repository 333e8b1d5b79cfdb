// How long reading the source takes for some of its orgs, as init measured it, and what follows for whoever reads many.

/** Orgs of the list that is measured; the database divides by it too: write_sign_ups. */
export const MEASURED_LIST = 16;

/** How long reading the source takes, in ms; null: not measured. */
export interface ReadTimes {
  readonly oneOrgMs: number | null;
  /** Of a list of so many; only where one org takes long, or the list does. */
  readonly orgListMs: number | null;
}

/** The database decides by the same numbers: write_sign_ups. */
const ALONE_MS = 10;
const TOGETHER = 4;
const EACH_MS = 50;

/**
 * How the source is read for some of its orgs: each `alone`, where that is quick; as many `together` as there are,
 * where the view is computed as a whole for any of them; or in small `lists`, where each org takes its time.
 */
export function nameReading({ oneOrgMs, orgListMs }: ReadTimes): 'alone' | 'lists' | 'together' {
  if (oneOrgMs === null || oneOrgMs <= ALONE_MS) return 'alone';
  if (orgListMs === null) return oneOrgMs > EACH_MS ? 'together' : 'lists';
  return orgListMs <= TOGETHER * oneOrgMs ? 'together' : 'lists';
}

/** A list takes much longer than each of its orgs alone: a key reaches the inside of the view, and a list does not. */
const WHOLE_MS = 200;
const OVER_EACH = 2;

/** Whether the view is computed as a whole for a list or a range, whatever it takes for one org. */
export function isWholeForMany(times: ReadTimes): boolean {
  const { oneOrgMs, orgListMs } = times;
  if (nameReading(times) === 'together') return true;
  if (oneOrgMs === null || orgListMs === null) return false;
  return orgListMs >= WHOLE_MS && orgListMs > OVER_EACH * MEASURED_LIST * oneOrgMs;
}

/** What a read of some orgs takes however few they are, in ms: where the view is computed as a whole for each. */
export function fixedReadMs(times: ReadTimes): number {
  if (nameReading(times) === 'together') return times.oneOrgMs ?? 0;
  return isWholeForMany(times) ? (times.orgListMs ?? 0) : 0;
}
