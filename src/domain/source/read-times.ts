// How long reading the source takes for some of its orgs, as init measured it, and what follows for whoever reads many.

/** Orgs of the list that is measured; the database divides by it too: write_sign_ups. */
export const MEASURED_LIST = 16;

/** How long reading the source takes, in ms; null: not measured. */
export interface ReadTimes {
  readonly oneOrgMs: number | null;
  /** Of a list of so many; only where one org takes long. */
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

/** What a read of some orgs takes however few they are, in ms: where the view is computed as a whole for each. */
export const fixedReadMs = (times: ReadTimes): number =>
  nameReading(times) === 'together' ? (times.oneOrgMs ?? 0) : 0;
