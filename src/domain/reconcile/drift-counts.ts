// Counts of drift by cause, movement and outcome. Drift leaves a cell in this form only.
import { CAUSES, type Cause } from './cause.js';
import type { DriftMovement, DriftOutcome } from './movement.js';

export interface DriftCount {
  readonly cause: Cause;
  readonly movement: DriftMovement;
  readonly outcome: DriftOutcome;
  readonly orgs: number;
  /** How many of them have a proposed floor. */
  readonly proposals: number;
}

/** The totals in the order in which they are shown. */
export const DRIFT_TOTALS = [
  'found',
  'healed',
  'proposed',
  'unchanged',
  'first',
  'raises',
  'falls',
  'gone',
  'floorsProposed',
] as const satisfies readonly (keyof DriftTotals)[];

/** As control stores it for a run and for a night. */
export interface DriftTotals {
  readonly found: number;
  readonly healed: number;
  /** Left for a person. */
  readonly proposed: number;
  readonly unchanged: number;
  readonly first: number;
  readonly raises: number;
  readonly falls: number;
  readonly gone: number;
  readonly floorsProposed: number;
  readonly causes: Readonly<Partial<Record<Cause, number>>>;
}

/** The sums of a run's counts. They include legacy sign-ups, which are no drift: the nightly run decides them. */
export function totalDrift(counts: readonly DriftCount[]): DriftTotals {
  const sum = (of: (count: DriftCount) => boolean): number =>
    counts.filter(of).reduce((total, { orgs }) => total + orgs, 0);
  const causes = CAUSES.map((cause) => [cause, sum((count) => count.cause === cause)] as const);
  return {
    found: sum(() => true),
    healed: sum(({ outcome }) => outcome === 'healed'),
    proposed: sum(({ outcome }) => outcome === 'proposed'),
    unchanged: sum(({ outcome }) => outcome === 'unchanged'),
    first: sum(({ movement }) => movement === 'first'),
    raises: sum(({ movement }) => movement === 'raise'),
    falls: sum(({ movement }) => movement === 'fall'),
    gone: sum(({ movement }) => movement === 'gone'),
    floorsProposed: counts.reduce((total, { proposals }) => total + proposals, 0),
    causes: Object.fromEntries(causes.filter(([, orgs]) => orgs > 0)),
  };
}

/** The totals as one flat object, for control's rows: a cause is `cause <name>`. */
export function flattenTotals(totals: DriftTotals): Readonly<Record<string, number>> {
  const own = DRIFT_TOTALS.map((key) => [key, totals[key]] as const);
  const causes = Object.entries(totals.causes).map(([cause, orgs]) => [`cause ${cause}`, orgs] as const);
  return Object.fromEntries([...own, ...causes]);
}

/** The totals of a row of control; undefined when it holds none. */
export function readTotals(counts: Readonly<Record<string, number | string>> | null): DriftTotals | undefined {
  if (counts === null || counts.found === undefined) return undefined;
  const value = (key: string): number => Number(counts[key] ?? 0);
  const causes = CAUSES.map((cause) => [cause, value(`cause ${cause}`)] as const).filter(([, orgs]) => orgs > 0);
  return {
    found: value('found'),
    healed: value('healed'),
    proposed: value('proposed'),
    unchanged: value('unchanged'),
    first: value('first'),
    raises: value('raises'),
    falls: value('falls'),
    gone: value('gone'),
    floorsProposed: value('floorsProposed'),
    causes: Object.fromEntries(causes),
  };
}
