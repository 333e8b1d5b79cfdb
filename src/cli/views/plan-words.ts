// The words that the screen and the HTML of a plan share.
import type { BatchSize } from '../../domain/plan/batch-size.js';
import type { EditionSum } from '../../domain/plan/group-editions.js';
import type { Rail } from '../../domain/plan/guard-rails.js';
import type { ChangeBar, DurationEstimate, PlanReport } from '../../domain/plan/plan-report.js';
import { showChange, showCount, showInstant, showOrgs, showRange } from '../terminal/numbers.js';

export const RAIL_WORDS: Readonly<Record<Rail, string>> = {
  maxRaiseFactor: 'largest raise of an org',
  floorOverPlan: 'largest promised number (floor) over card',
  totalChangePercent: 'change of all credits',
  orgsTouched: 'orgs that are written',
  quarantinedShare: 'share of undecidable orgs',
  protectedOrgs: 'protected orgs that are written',
  paidFalling: 'paid orgs whose number falls',
};

/** `in-7`, or what it is when nothing was stored. */
export const namePlan = ({ planId }: PlanReport): string => planId ?? 'What-if';

/** UTC and the data center's own clock. */
export const showSnapshot = ({ snapshotAt, zone }: PlanReport): string => showInstant(new Date(snapshotAt), zone);

/** `2–4 min, measured on earlier batches of this cell`. */
export function showDuration({ p50Ms, p90Ms, basis }: DurationEstimate): string {
  const range = showRange({ lowMs: p50Ms, highMs: p90Ms });
  const measured =
    basis === 'batches' ? 'measured on earlier batches of this cell' : 'guessed from the speed of this plan';
  return `${range}, ${measured}`;
}

/** `6,000 orgs each, by what an org took in earlier batches of this cell: 31 µs`. */
export function showBatchSize({ orgs, basis, perOrgUs }: BatchSize): string {
  if (basis === 'configured') return `${showOrgs(orgs)} each, as configured`;
  if (perOrgUs === null) return `${showOrgs(orgs)} each: there were too few to measure`;
  const measured =
    basis === 'batches' ? 'what an org took in earlier batches of this cell' : 'the speed at which this plan was made';
  return `${showOrgs(orgs)} each, by ${measured}: ${perOrgUs} µs an org`;
}

/** `+1,200`, `-5`, `0`. */
export function showSigned(credits: bigint): string {
  return credits > 0n ? `+${showCount(credits)}` : showCount(credits);
}

/** after / max(before, 1) as `6.2×`. */
export function showFactor(before: string, after: string): string {
  const least = BigInt(before) > 1n ? BigInt(before) : 1n;
  const tenths = (BigInt(after) * 10n) / least;
  return `${showCount(tenths / 10n)}.${tenths % 10n}×`;
}

const percent = (value: number): string => `${value} %`;

/** `under -50 %`, `-50 % to -10 %`, `unchanged`, `200 % and more`. */
export function showBar({ from, to }: ChangeBar): string {
  if (from === null) return to === null ? 'any change' : `under ${percent(to)}`;
  if (to === null) return `${percent(from)} and more`;
  return from === 0 && to === 0 ? 'unchanged' : `${percent(from)} to ${percent(to)}`;
}

/** Paid orgs whose number comes out lower, and that an apply leaves as they are: by edits, or by a newer card. */
export const countPaidLeft = ({ branches, counts }: PlanReport): number =>
  branches.reduce((sum, { paid, falling }) => sum + (paid ? falling : 0), 0) - counts.paidFalling;

/** What a trap is, for who reads it the first time. */
export const TRAPS =
  'unpaid orgs on another edition than the unpaid one, or with a negotiated limit: they would get the unpaid allotment. Sponsored orgs count as paid in the source.';

/** Why orgs are left out: ids that are too long to be held. */
export const TOO_LONG = 'for ids of over 2,000 bytes; they keep what they have';

/** One edition as a row: edition, orgs, paid, legacy kept, falling, before, after, change. */
export const showEdition = (line: EditionSum): readonly string[] => [
  line.edition,
  showCount(line.orgs),
  showCount(line.paid),
  showCount(line.legacyWins),
  showCount(line.falling),
  showCount(line.before),
  showCount(line.after),
  showChange(line.before, line.after),
];
