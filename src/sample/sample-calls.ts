// The API calls of some sample orgs on one day: invented, and the same for the same orgs. Knows no meter.

/** A sample org, and its credits a day. */
export interface SampleOrg {
  readonly orgId: string;
  readonly total: bigint;
}

export interface SampleCall {
  readonly kind: string;
  readonly records?: number;
  readonly from?: number;
  readonly limit?: number;
}

export interface OrgCalls {
  readonly orgId: string;
  readonly calls: readonly SampleCall[];
}

/** What an ordinary org does, and one that exports everything; the credits of each are as the sample card has them. */
const ORDINARY: readonly SampleCall[] = [
  { kind: 'get' },
  { kind: 'find' },
  { kind: 'list', from: 0, limit: 100 },
  { kind: 'update' },
  { kind: 'search', from: 0, limit: 50 },
  { kind: 'create' },
  { kind: 'bulk_update', records: 40 },
  { kind: 'get' },
];
const EXPORTING: readonly SampleCall[] = [
  { kind: 'list', from: 99_000, limit: 200 },
  { kind: 'count' },
  { kind: 'list', from: 60_000, limit: 200 },
  { kind: 'search', from: 120_000, limit: 100 },
  { kind: 'get' },
];
const EXPORTING_CREDITS = 50 + 50 + 50 + 100 + 1;
const MAX_EXPORTING = 3_000;

/**
 * Each org makes 10 to 50 ordinary calls; the one with the least credits exports so much that its day is used by
 * `share`, beyond it where that is above 1.
 */
export function planSampleCalls(orgs: readonly SampleOrg[], share: number): readonly OrgCalls[] {
  const least = orgs.reduce<SampleOrg | undefined>(
    (found, org) => (found === undefined || org.total < found.total ? org : found),
    undefined,
  );
  return orgs.map((org, at) => {
    const { orgId, total } = org;
    if (org !== least) return { orgId, calls: repeat(ORDINARY, 10 + ((at * 7) % 41)) };
    const rounds = Math.ceil((Number(total) * share) / EXPORTING_CREDITS);
    return { orgId, calls: repeat(EXPORTING, Math.min(rounds * EXPORTING.length, MAX_EXPORTING)) };
  });
}

const repeat = (pattern: readonly SampleCall[], count: number): readonly SampleCall[] =>
  Array.from({ length: count }, (_, at) => pattern[at % pattern.length]).flatMap((call) => call ?? []);
