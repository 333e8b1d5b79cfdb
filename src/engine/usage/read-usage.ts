// What the orgs of a data center use: counts by branch and edition, predicted against measured, and by name the orgs
// that come near their total or are refused. The names are for the screen of the person who asks.
import { type BranchUsage, type EditionUsage, sumEditions } from '../../domain/usage/sum-editions.js';
import { startSnapshot } from '../../stores/cell/org/orgs.js';
import { type CrowdedOrg, listCrowdedOrgs } from '../../stores/cell/usage/crowded-orgs.js';
import {
  findPrediction,
  listBranchUsage,
  listNearOrgs,
  listRefusedOrgs,
  type MeasuredDays,
  readMeasuredDays,
  type UsedOrg,
} from '../../stores/cell/usage/usage-report.js';
import type { EngineContext } from '../context.js';
import { planName } from '../plan/plan-id.js';

export type { CrowdedOrg } from '../../stores/cell/usage/crowded-orgs.js';
export type { UsedOrg } from '../../stores/cell/usage/usage-report.js';

/** It reads every day that is kept. */
const STATEMENT_MS = 120_000;

export interface UsageReport extends MeasuredDays {
  readonly dataCenter: string;
  /** The plan that predicted; null: none is kept, or it knew no peaks. */
  readonly plan: string | null;
  readonly editions: readonly EditionUsage[];
  readonly branches: readonly BranchUsage[];
  readonly near: readonly UsedOrg[];
  readonly refusedSince: readonly UsedOrg[];
  /** Orgs whose calls at once will be refused when they are migrated: how many, and those that are named. */
  readonly crowdedOrgs: number;
  readonly crowded: readonly CrowdedOrg[];
}

/** Names at most `limit` orgs in each list. */
export async function readUsage(
  { cells }: Pick<EngineContext, 'cells'>,
  { dataCenter, limit }: { readonly dataCenter: string; readonly limit: number },
): Promise<UsageReport> {
  return cells.get(dataCenter).inTransaction(
    'reader',
    async (tx) => {
      await startSnapshot(tx);
      const days = await readMeasuredDays(tx);
      const prediction = await findPrediction(tx);
      const branches = await listBranchUsage(tx);
      const crowded = await listCrowdedOrgs(tx);
      return {
        dataCenter,
        ...days,
        plan: prediction === undefined ? null : planName(dataCenter, BigInt(prediction.planId)),
        editions: sumEditions(branches, prediction?.editions ?? null),
        branches,
        near: await listNearOrgs(tx, limit),
        refusedSince: await listRefusedOrgs(tx, limit),
        crowdedOrgs: crowded.length,
        crowded: crowded.slice(0, limit),
      };
    },
    { statementMs: STATEMENT_MS },
  );
}
