// The real side of a history: a cell of its own, with the orgs of the model and its rate card.
import type { OrgInputs } from '../../../src/domain/source/org-inputs.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { makePlan } from '../../../src/engine/plan/make-plan.js';
import { parsePlanName } from '../../../src/engine/plan/plan-id.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { allotmentColumns } from '../../../src/stores/cell/allotment-row.js';
import * as fence from '../../../src/stores/cell/batch/fence.js';
import * as progress from '../../../src/stores/cell/batch/progress.js';
import * as runs from '../../../src/stores/cell/batch/runs.js';
import * as maintenance from '../../../src/stores/cell/reconcile/maintenance.js';
import * as undoPlans from '../../../src/stores/cell/undo/undo-plans.js';
import * as undoRuns from '../../../src/stores/cell/undo/undo-runs.js';
import { createTestCell, type TestCell } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';
import { CARD } from '../engine/card.js';
import { askOf } from './ask.js';
import { groupByOrg, type HistoryCell, type HistorySeal, showAllotment } from './histories.js';

const STORES = { ...fence, ...progress, ...runs, ...maintenance, ...undoPlans, ...undoRuns };
const SIZES = { batch_size: 2, lanes: 2, rails: { quarantinedShare: 1 } };

export interface RealCell extends HistoryCell {
  /** The product writes one of its rows; undefined: it deletes it. */
  put(orgId: string, org: OrgInputs | undefined): Promise<void>;
  drop(): Promise<void>;
}

export async function createRealCell(): Promise<RealCell> {
  const test = await createTestCell({ card: CARD, idType: 'text' });
  const { cell, context, dataCenter, card } = test;
  const at = { dataCenter: dataCenter.id };
  return {
    inTransaction: (role, work) => cell.inTransaction(role, (tx) => work(askOf(STORES, tx))),
    seal: (sealing) => {
      const { kind, content } = contentOf(sealing, card.hash);
      return sealInCell(cell, kind, content);
    },
    makePlan: async () => {
      const sizes = { rangeSize: 2, lanes: 2, rails: SIZES.rails, save: 'new_plan' } as const;
      const { planId, digest } = await makePlan(context, { ...at, card, author: 'ana', ...sizes });
      return { planId: parsePlanName(planId ?? '')?.number ?? 0n, digest: digest ?? '' };
    },
    acceptUndo: () => acceptUndo(test),
    apply: async (epoch) => (await applyBatches(context, { ...at, epoch, forMs: 60_000 })).last.kind,
    detect: (epoch) => detectDrift(context, { ...at, epoch }),
    look: () => look(test),
    put: (orgId, org) => put(test, orgId, org),
    drop: test.drop,
  };
}

function contentOf(sealing: HistorySeal, card_hash: string) {
  const { kind, runId } = sealing;
  const run_id = Number(runId);
  if (kind === 'maintenance')
    return {
      kind,
      content: { ...SIZES, run_id, of: 'reconcile', max_changed: null, max_lapsed: null, allow_falls: false },
    };
  const { digest } = sealing;
  if (kind === 'undo_run') return { kind, content: { ...SIZES, run_id, undo_id: Number(sealing.undoId), digest } };
  return { kind, content: { ...SIZES, card_hash, run_id, plan_id: Number(sealing.planId), digest } };
}

/** As two people do it, whether or not a paid org falls. */
async function acceptUndo({
  cell,
}: TestCell): Promise<{ readonly undoId: bigint; readonly digest: string } | undefined> {
  const begun = await cell.inTransaction('override', (tx) =>
    undoPlans.beginUndoPlan(tx, { author: 'ana', reason: 'compared' }),
  );
  if (begun === undefined) return undefined;
  const { undoId, ranges } = begun;
  for (let range = 1; range <= ranges; range += 1)
    await cell.inTransaction('override', (tx) => undoPlans.planUndoRange(tx, undoId, range));
  const digest = (await cell.inTransaction('override', (tx) => undoPlans.finishUndoPlan(tx, undoId))) ?? '';
  const content = { number: Number(undoId), digest, author: 'ana', approver: 'bob' };
  const seal = await sealInCell(cell, 'undo', content);
  await cell.inTransaction('override', (tx) => undoPlans.acceptUndo(tx, undoId, seal));
  return { undoId, digest };
}

async function put({ sql }: TestCell, orgId: string, org: OrgInputs | undefined): Promise<void> {
  if (org === undefined) {
    await sql('delete from public.orgs where org_id = $1', [orgId]);
    return;
  }
  const { edition, paid, agents, lightAgents, additionalCredits, negotiatedLimit, createdAt } = org;
  await sql(
    `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, legacy_limit, created_at,
       updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now())
     on conflict (org_id) do update set edition = excluded.edition, paid = excluded.paid, agents = excluded.agents,
       light_agents = excluded.light_agents, additional_credits = excluded.additional_credits,
       legacy_limit = excluded.legacy_limit, created_at = excluded.created_at, updated_at = excluded.updated_at`,
    [orgId, edition, paid, ...[agents, lightAgents, additionalCredits, negotiatedLimit].map(toText), createdAt],
  );
}

const toText = (value: bigint | null): string | null => (value === null ? null : String(value));
const toCamel = (row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name.replace(/_(\w)/gu, (_, letter) => letter.toUpperCase()), value]),
  );

async function look({ sql }: TestCell): ReturnType<HistoryCell['look']> {
  const newest = '(select max(run_id) from credit_rollout.runs)';
  const rows = await sql(
    `select a.org_id, ${allotmentColumns('a')} from credit_rollout.allotments a order by a.org_id`,
  );
  const changes = await sql('select org_id, operation, cause from credit_rollout.allotment_changes order by change_id');
  const drift = await sql(
    `select org_id, cause, movement, outcome from credit_rollout.drift where run_id = ${newest} order by org_id`,
  );
  const aside = await sql(`select org_id from credit_rollout.quarantine where run_id = ${newest} order by org_id`);
  const change = changes.map((row) => ({ orgId: String(row.org_id), what: `${row.operation} by ${row.cause}` }));
  return {
    allotments: Object.fromEntries(rows.map((row) => [String(row.org_id), showAllotment(toCamel(row))])),
    changes: groupByOrg(change, ({ what }) => what),
    drift: Object.fromEntries(drift.map((row) => [row.org_id, `${row.cause}, ${row.movement}, ${row.outcome}`])),
    quarantined: aside.map(({ org_id }) => String(org_id)),
  };
}
