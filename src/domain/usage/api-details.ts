// What the API details page of an org shows: what it has, what it used today, and of the last 30 days. Decides how much
// of the day is used, and how the numbers are called under each model.
import type { MeterModel } from '../meter/usage.js';

export interface DetailsDay {
  /** Local date. */
  readonly day: string;
  readonly model: MeterModel;
  readonly calls: bigint;
  readonly credits: bigint;
  readonly callsGivenBack: bigint;
  readonly creditsGivenBack: bigint;
  readonly refusedByCredits: bigint;
  readonly refusedByConcurrency: bigint;
  readonly peakInFlight: bigint;
}

export interface DetailsKind {
  readonly kind: string;
  readonly calls: bigint;
  readonly credits: bigint;
}

export interface DetailsException {
  readonly text: string;
  readonly wanted: bigint | null;
  readonly until: string | null;
  readonly state: 'open' | 'granted' | 'declined' | 'withdrawn';
  readonly answer: string | null;
}

export interface ApiDetails {
  readonly orgId: string;
  readonly dataCenter: string;
  readonly zone: string;
  /** When this was read. */
  readonly at: Date;
  /** Local date. */
  readonly today: string;
  readonly resetsAt: Date;
  readonly model: MeterModel;
  readonly edition: string | null;
  readonly paid: boolean | null;
  readonly agents: bigint | null;
  /** The terms of an allotment; null under the legacy model. */
  readonly base: bigint | null;
  readonly variable: bigint | null;
  readonly grandfathered: bigint | null;
  /** The promise to a paid org: base + variable + grandfathered never fall below it. */
  readonly floor: bigint | null;
  readonly additional: bigint | null;
  /** Credits or calls a day; null: it cannot be decided, and what is enforced stays. */
  readonly total: bigint | null;
  /** What today is held to until the reset; null: only the meter knows, and it was not asked. */
  readonly totalToday: bigint | null;
  /** Null: none. */
  readonly concurrencyLimit: number | null;
  /** Calls in flight now; null: only the meter knows, and it was not asked. */
  readonly inFlight: number | null;
  /** Today's, the most expensive first. */
  readonly kinds: readonly DetailsKind[];
  /** Of the last 30 days, today included, the newest first; days without calls are left out. */
  readonly days: readonly DetailsDay[];
  /** The newest; null: it never asked. */
  readonly exception: DetailsException | null;
}

export interface DayShare {
  readonly unit: MeterModel;
  readonly used: bigint;
  /** Null: it is not known. */
  readonly total: bigint | null;
  /** Null: the total is not known. */
  readonly left: bigint | null;
  /** Rounded down; 100 only when nothing is left. */
  readonly percent: number | null;
}

/** What a day used, in the unit that the org was held to. */
export function usedOf(day: DetailsDay): bigint {
  const used = day.model === 'credits' ? day.credits - day.creditsGivenBack : day.calls - day.callsGivenBack;
  return used > 0n ? used : 0n;
}

/** An org whose model changed today keeps the unit that its day began with until the reset. */
export const unitOfToday = ({ days, today, model }: Pick<ApiDetails, 'days' | 'today' | 'model'>): MeterModel =>
  days.find((one) => one.day === today)?.model ?? model;

/** How much of today is used. */
export function shareOfToday(details: ApiDetails): DayShare {
  const day = details.days.find((one) => one.day === details.today);
  const unit = unitOfToday(details);
  const used = day === undefined ? 0n : usedOf(day);
  const total = findTotalToday(details, unit);
  if (total === null) return { unit, used, total, left: null, percent: null };
  const left = total > used ? total - used : 0n;
  // 0 only where nothing is used, 100 only where nothing is left
  const percent = left === 0n ? 100 : used === 0n ? 0 : Math.max(1, Math.min(99, Number((used * 100n) / total)));
  return { unit, used, total, left, percent };
}

/** Calls of a migrated org are held to its credits at least; what the credits of an undone one were is gone. */
function findTotalToday({ model, total, totalToday }: ApiDetails, unit: MeterModel): bigint | null {
  if (total === null) return null;
  return totalToday ?? (model === 'legacy' && unit === 'credits' ? null : total);
}
