// Functions of the engine that compute in SQL or compare with another implementation: here they apply the rule to rows
// in memory.
import type { WorkerContext } from '../../../src/engine/context.js';
import type { CellTx } from './cell-state.js';
import { keepsPromise, makePlanRow } from './orgs-model.js';
import { callStore, noFunction } from './seams.js';

/** A worker makes the plan that a scheduler asked for, in one snapshot. */
export const plan = async ({ cells }: WorkerContext, dataCenter: string): Promise<string> =>
  cells.get(dataCenter).inTransaction('worker', async (given) => {
    const tx = given as unknown as CellTx;
    const request = await (callStore('findOpenPlanRequest', [tx], noFunction) as Promise<
      { planId: bigint; author: string } | undefined
    >);
    if (request === undefined || !tx.tryLock(`plan ${request.planId}`, 'exclusive')) return 'nothing_asked';
    makePlanRow(tx, request.planId, request.author);
    return 'planned';
  });

export const replacedFunctions = {
  countCanaryMismatches: async (tx: CellTx, _run: unknown, ids: readonly string[]) =>
    ids.flatMap((id) => tx.now.allotments.get(id) ?? []).filter((row) => !keepsPromise(row)).length,
  countLeftOutAs: async () => 0,
} as const;
