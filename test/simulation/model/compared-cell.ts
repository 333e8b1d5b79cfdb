// A real cell beside the model of one: both begin alike, and each operation is asked of both.
import { makePlan } from '../../../src/engine/plan/make-plan.js';
import { contextOf, type TestCell } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';
import { asSeal, type Sealed } from '../engine/approval-model.js';
import { CellDatabaseFacts, type CellDb, type CellState, type CellTx, emptyCell } from '../engine/cell-state.js';
import { Database } from '../engine/database.js';
import { type Answer, answerOf, createClient, inModel } from './answers.js';
import { askCell, askCellModel, type Known, type Operation, observe, type Sealing } from './cell-operations.js';

interface Plan {
  readonly planId: bigint;
  readonly digest: string;
}

export interface ComparedCell {
  readonly state: Known;
  ask(operation: Operation): Promise<{ readonly model: Answer; readonly real: Answer }>;
  observe(): Promise<{ readonly model: unknown; readonly real: unknown }>;
  /** Its server starts again, or another one takes its place. */
  move(how: 'restart' | 'failover'): Promise<void>;
}

/** Of an operation without one. */
const NO_SEAL = '';
const RUN = { card_hash: '', batch_size: 2, lanes: 2, rails: { quarantinedShare: 1 } };
const FORGET = `delete from credit_rollout.batches; delete from credit_rollout.runs; delete from credit_rollout.used_seals;
  delete from credit_rollout.freezes;
  update credit_rollout.fence set state = 'closed', epoch = 0, run_id = null, failure = null, single_writes = false,
    timeline = null, server_started_at = null;
  update credit_rollout.gate set configured_at = null, configured_local = null, configured_set_at = null,
    armed_at = null, effective_at = null, latched_at = null, swept_at = null`;
const MOVED = {
  restart: `update credit_rollout.fence set server_started_at = '2020-01-01'`,
  failover: `update credit_rollout.fence set timeline = 'FFFFFFFF'`,
};

export async function makePlans({ cell, dataCenter, card }: TestCell): Promise<readonly Plan[]> {
  const made: Plan[] = [];
  for (const rails of [{ quarantinedShare: 1 }, { quarantinedShare: 1 }]) {
    const sizes = { rangeSize: 2, lanes: 2, rails, save: 'new_plan' } as const;
    const { planId, digest } = await makePlan(contextOf(cell), {
      ...{ dataCenter: dataCenter.id, card, author: 'ana' },
      ...sizes,
    });
    made.push({ planId: BigInt((planId ?? '').split('-').at(-1) ?? 0), digest: digest ?? '' });
  }
  return made;
}

/** Both forget everything but the plans. */
export async function compareCell(
  real: TestCell,
  plans: readonly Plan[],
  ids: readonly string[],
): Promise<ComparedCell> {
  await real.rewritePast(FORGET);
  const orgs = ids.map((orgId) => ({ orgId, seen: '', movement: 'first' }));
  const now = new Date();
  const rows = plans.map((plan) => ({ ...plan, author: 'ana', snapshotAt: now, orgs }));
  const clock = { nowMs: Date.now() };
  const state: CellState = { ...emptyCell(new Map(), now), plans: rows };
  const db: CellDb = Object.assign(new Database<CellState>('compared', clock, state), {
    facts: new CellDatabaseFacts(),
  });
  const client = createClient();
  const planOf = ({ plan = 'first' }: Sealing): Plan =>
    (plan === 'unknown' ? undefined : plans[plan === 'first' ? 0 : 1]) ?? {
      planId: 999n,
      digest: plans[0]?.digest ?? '',
    };
  const digestOf = (seals: Sealing): string => (seals.digest === 'wrong' ? '0'.repeat(64) : planOf(seals).digest);

  const sealModel = (seals: Sealing): Sealed => ({
    ...{ kind: seals.kind, dataCenter: 'compared', runId: seals.runId ?? 0n, planId: planOf(seals).planId },
    ...{ digest: digestOf(seals), of: seals.of ?? 'reconcile', at: seals.at ?? null, setAt: seals.setAt ?? null },
  });
  const sealReal = (seals: Sealing): Promise<string> => {
    const run_id = Number(seals.runId ?? 0n);
    const card_hash = real.card.hash;
    const content = {
      run: { ...RUN, card_hash, run_id, plan_id: Number(planOf(seals).planId), digest: digestOf(seals) },
      maintenance: { ...RUN, card_hash, run_id, of: seals.of ?? 'reconcile', allow_falls: false },
      cutover: { at: seals.at, local: 'then', set_at: seals.setAt },
    };
    return sealInCell(real.cell, seals.kind, content[seals.kind]);
  };
  const asCell = (tx: object): CellTx => tx as CellTx;
  const self: ComparedCell = {
    get state() {
      return { epoch: db.state.fence.epoch, runs: db.state.runs.map(({ runId }) => runId) };
    },
    ask: async (operation) => {
      const { role, seals } = operation;
      const seal = seals === undefined ? NO_SEAL : await sealReal(seals);
      const sealed = seals === undefined ? NO_SEAL : asSeal(sealModel(seals));
      return {
        model: await answerOf(() => inModel(db, client, (tx) => operation.run(askCellModel(asCell(tx)), sealed))),
        real: await answerOf(() => real.cell.inTransaction(role, (tx) => operation.run(askCell(tx), seal))),
      };
    },
    observe: async () => {
      const known = self.state;
      return {
        model: await inModel(db, client, (tx) => observe(askCellModel(asCell(tx)), known)),
        real: await real.cell.inTransaction('worker', (tx) => observe(askCell(tx), known)),
      };
    },
    move: async (how) => {
      await real.rewritePast(MOVED[how]);
      if (how === 'restart') db.restart();
      else db.timeline += 1;
    },
  };
  return self;
}
