// Compares a plan with the limits above which a person must approve it. Pure.

import { formatCredits } from '../../kernel/format-credits.js';
import type { GuardRails } from '../config/rollout-config.js';
import { exceeds, type Fraction, formatAgainst, toFraction } from './fraction.js';

export const RAILS = [
  'maxRaiseFactor',
  'floorOverPlan',
  'totalChangePercent',
  'orgsTouched',
  'quarantinedShare',
  'protectedOrgs',
  'paidFalling',
] as const;
export type Rail = (typeof RAILS)[number];

/** A plan compared with one guard-rail. */
export interface RailReading {
  readonly rail: Rail;
  /** The plan's value, as text for people. */
  readonly value: string;
  readonly limit: string;
  readonly passes: boolean;
}

/** What the guard-rails measure: a part of a plan's counts. Sums are decimal text. */
export interface MeasuredPlan {
  readonly orgs: number;
  readonly touched: number;
  readonly paidFalling: number;
  readonly quarantined: number;
  readonly protectedTouched: number;
  readonly before: string;
  readonly after: string;
  /** after / max(before, 1) of the org that is raised most; null: no org is raised. */
  readonly maxRaiseFactor: number | null;
  /** Largest floor as a multiple of the credits by formula; null: no org has a floor. */
  readonly maxFloorOverPlan: number | null;
}

/** Of what is stored: an earlier version let any document in, and nobody's approval may fail as it is shown. */
export function parseRailReadings(stored: unknown): readonly RailReading[] {
  return Array.isArray(stored) ? stored.filter(isRailReading) : [];
}

function isRailReading(reading: unknown): reading is RailReading {
  if (typeof reading !== 'object' || reading === null) return false;
  const { rail, value, limit, passes } = reading as Partial<Record<keyof RailReading, unknown>>;
  return (
    RAILS.some((known) => known === rail) &&
    typeof value === 'string' &&
    typeof limit === 'string' &&
    typeof passes === 'boolean'
  );
}

/** Fewer orgs in quarantine always pass, whatever their share: in a small data center a few are a large share. */
const MIN_QUARANTINED = 10;

/**
 * One reading for each limit that is configured, in the order of RAILS, and always the share in quarantine, the
 * protected orgs and the promise. A value that equals its limit passes. Exact: no sum is rounded before it is compared.
 */
export function readGuardRails(counts: MeasuredPlan, rails: GuardRails): readonly RailReading[] {
  const readings = [
    readFactor('maxRaiseFactor', counts.maxRaiseFactor, rails.maxRaiseFactor),
    readFactor('floorOverPlan', counts.maxFloorOverPlan, rails.floorOverPlan),
    readTotalChange(counts, rails.totalChangePercent),
    rails.orgsTouched === undefined ? undefined : readOrgs('orgsTouched', counts.touched, rails.orgsTouched),
    readQuarantined(counts, rails.quarantinedShare),
    readOrgs('protectedOrgs', counts.protectedTouched, 0),
    readOrgs('paidFalling', counts.paidFalling, 0),
  ];
  return readings.filter((reading) => reading !== undefined);
}

/** Whether every guard-rail passes. */
export function isInsideRails(readings: readonly RailReading[]): boolean {
  return readings.every(({ passes }) => passes);
}

/** A multiple; null: no org has one. */
function readFactor(rail: Rail, factor: number | null, max: number | undefined): RailReading | undefined {
  if (max === undefined) return undefined;
  const limit = toFraction(max);
  const value = factor === null ? null : toFraction(factor);
  return {
    rail,
    value: value === null ? 'none' : `${formatAgainst(value, limit)} times`,
    limit: `${formatAgainst(limit, limit)} times`,
    passes: value === null || !exceeds(value, limit),
  };
}

/** Up and down count alike; the sign is shown only. */
function readTotalChange({ before, after }: MeasuredPlan, max: number | undefined): RailReading | undefined {
  if (max === undefined) return undefined;
  const limit = toFraction(max);
  const change = BigInt(after) - BigInt(before);
  const size = change < 0n ? -change : change;
  const percent = { numerator: size * 100n, denominator: atLeastOne(BigInt(before)) };
  const sign = change === 0n ? '' : change < 0n ? '-' : '+';
  return {
    rail: 'totalChangePercent',
    value: `${sign}${formatAgainst(percent, limit)} %`,
    limit: `${formatAgainst(limit, limit)} % up or down`,
    passes: !exceeds(percent, limit),
  };
}

function readQuarantined(
  { quarantined, orgs }: Pick<MeasuredPlan, 'quarantined' | 'orgs'>,
  maxShare: number,
): RailReading {
  const limit = toPercent(toFraction(maxShare));
  const share = toPercent({ numerator: BigInt(quarantined), denominator: atLeastOne(BigInt(orgs)) });
  const rounded = formatAgainst(share, limit);
  return {
    rail: 'quarantinedShare',
    // rounded up, and yet 100 % only where it is every org
    value: `${quarantined < orgs && rounded === '100' ? '99.99' : rounded} % (${showOrgs(quarantined)})`,
    limit: `${formatAgainst(limit, limit)} %, from ${MIN_QUARANTINED} orgs on`,
    passes: quarantined < MIN_QUARANTINED || !exceeds(share, limit),
  };
}

/** While a plan is applied: more are in quarantine than it had, and more than the guard-rail lets pass. */
export const exceedsQuarantine = (
  { planned, ...found }: { readonly quarantined: number; readonly planned: number; readonly orgs: number },
  maxShare: number,
): boolean => found.quarantined > planned && !readQuarantined(found, maxShare).passes;

function readOrgs(rail: Rail, orgs: number, max: number): RailReading {
  return { rail, value: showOrgs(orgs), limit: showOrgs(max), passes: orgs <= max };
}

const toPercent = ({ numerator, denominator }: Fraction): Fraction => ({ numerator: numerator * 100n, denominator });

const atLeastOne = (sum: bigint): bigint => (sum > 1n ? sum : 1n);

const showOrgs = (orgs: number): string => `${formatCredits(BigInt(orgs))} ${orgs === 1 ? 'org' : 'orgs'}`;
