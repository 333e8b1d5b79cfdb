// A plan for tests of what shows it: every part filled in, with the orgs `org-raised`, `org-near` and `org-short`.
import type { BranchCount, PlannedOrg, PlanOutcome, PlanReport } from '../../../src/domain/plan/plan-report.js';
import { makeBranch } from '../../domain/plan/sample-plan.js';

export const sampleBranch = (part: Partial<BranchCount> = {}): BranchCount =>
  makeBranch({
    ...{ first: 10, raises: 0, falls: 0, before: '400000', after: '500000', planCredits: '500000' },
    ...part,
  });

/** Branches that differ in edition and traits. */
export function manyBranches(count: number): readonly BranchCount[] {
  return Array.from({ length: count }, (_, n) =>
    sampleBranch({
      edition: `edition-${Math.floor(n / 8)}`,
      purchased: n % 2 === 1,
      lightAgents: n % 4 >= 2,
      negotiated: n % 8 >= 4,
      before: '9007199254740993',
      after: '9007199254740995',
    }),
  );
}

export const sampleOrg = (part: Partial<PlannedOrg> = {}): PlannedOrg => ({
  orgId: 'org-raised',
  edition: 'standard',
  paid: true,
  agents: '300',
  before: '25000',
  after: '155000',
  planCredits: '125000',
  legacyLimit: '25000',
  floor: '25000',
  ...part,
});

export function samplePlan(part: Partial<PlanReport> = {}): PlanReport {
  return {
    planId: 'in-7',
    dataCenter: 'in',
    zone: 'Asia/Kolkata',
    source: 'public.orgs',
    author: 'ops',
    snapshotAt: '2026-12-01T01:00:03.000Z',
    card: { name: 'desk-2025-10', hash: '5d0c11aa22bb33cc' },
    digest: '9c1e2d3f4a5b'.padEnd(64, '0'),
    planningMs: 38_000,
    counts: {
      orgs: 27,
      first: 20,
      raises: 3,
      falls: 1,
      unchanged: 1,
      touched: 23,
      legacyWins: 5,
      paidFalling: 0,
      unpaidFalling: 4,
      traps: 2,
      quarantined: 2,
      before: '1000000',
      after: '1041000',
      planCredits: '900000',
      grandfathered: '120000',
      maxRaiseFactor: 6.2,
      maxFloorOverPlan: 1.2,
      protectedTouched: 0,
      staleLeftOut: 0,
    },
    branches: [
      sampleBranch(),
      sampleBranch({
        winner: 'legacy',
        orgs: 5,
        first: 5,
        before: '500000',
        after: '500000',
        planCredits: '380000',
        grandfathered: '120000',
      }),
      sampleBranch({
        edition: 'free',
        paid: false,
        orgs: 10,
        first: 5,
        raises: 3,
        falls: 1,
        falling: 4,
        purchased: true,
        before: '100000',
        after: '41000',
        planCredits: '20000',
      }),
    ],
    quarantined: [
      { reason: 'null_agents', orgs: 1 },
      { reason: 'unknown_edition', orgs: 1 },
    ],
    leftOut: 0,
    histogram: [
      { from: null, to: -50, orgs: 4 },
      { from: -50, to: 0, orgs: 0 },
      { from: 0, to: 0, orgs: 5 },
      { from: 0, to: 100, orgs: 10 },
      { from: 100, to: null, orgs: 6 },
    ],
    rails: [
      { rail: 'maxRaiseFactor', value: '6.2×', limit: '10×', passes: true },
      { rail: 'orgsTouched', value: '23', limit: '20', passes: false },
    ],
    batchSize: { orgs: 6_000, basis: 'batches', perOrgUs: 25 },
    duration: { p50Ms: 120_000, p90Ms: 240_000, basis: 'batches' },
    usage: [{ edition: 'standard', paid: 15, short: 1 }],
    orgs: {
      biggestRaises: [sampleOrg()],
      nearestFloor: [sampleOrg({ orgId: 'org-near', floor: '124000' })],
      short: [{ ...sampleOrg({ orgId: 'org-short' }), peak: '160500', proposedFloor: '161000' }],
    },
    ...part,
  };
}

/** What came of it: two orgs fewer than predicted, in three times the time. */
export const sampleOutcome = (part: Partial<PlanOutcome> = {}): PlanOutcome => ({
  runId: '12',
  state: 'done',
  predicted: { touched: 23, credits: '2000000', p50Ms: 120_000, p90Ms: 240_000, short: 5 },
  actual: {
    touched: 21,
    credits: '1900000',
    durationMs: 360_000,
    waitedMs: 60_000,
    stale: 2,
    followUpSkippedAt: null,
    quarantined: 3,
    refused: 4,
  },
  ...part,
});
