// Lives of single orgs in a cell of their own: a rollout, edits of the source, days that pass, nights and sweeps.
// Drives detection and repair through the stores, as the scheduler would.
import type { DriftCount } from '../../../src/domain/reconcile/drift-counts.js';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { lockFenceExclusive, readFence, saveFenceClosed, setFence } from '../../../src/stores/cell/batch/fence.js';
import { endRun } from '../../../src/stores/cell/batch/runs.js';
import { readDriftCounts } from '../../../src/stores/cell/reconcile/drift-writes.js';
import { openSealedMaintenance } from '../../../src/stores/cell/reconcile/maintenance.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions, type TestOrg } from '../../support/cell.js';
import { sealInCell } from '../../support/seal-in-cell.js';

export interface NightOptions {
  readonly kind?: 'reconcile' | 'sweep';
  readonly maxChanged?: number | null;
  readonly maxLapsed?: number | null;
  readonly falls?: 'within_limits' | 'accepted';
  readonly batchSize?: number;
}

/** A sweep is opened only where a latched gate is not swept; the lives here have none, or are long past it. */
async function asUnswept<T>({ sql }: Pick<TestCell, 'sql'>, open: () => Promise<T>): Promise<T> {
  const set = (columns: string): Promise<unknown> =>
    sql(`begin; set local session_replication_role = replica; update credit_rollout.gate set ${columns}; commit`);
  const [gate] = await sql(`select format('armed_at = %L, effective_at = %L, latched_at = %L, swept_at = %L',
    armed_at, effective_at, latched_at, swept_at) as columns from credit_rollout.gate`);
  await set(`armed_at = coalesce(armed_at, now()),
    effective_at = coalesce(effective_at, greatest(now(), configured_at)),
    latched_at = coalesce(latched_at, greatest(now(), effective_at, configured_at)), swept_at = null`);
  try {
    return await open();
  } finally {
    await set(String(gate?.columns));
  }
}

/** Opens the fence for a night or a sweep; the run's id is its epoch. */
export async function openNight(at: Pick<TestCell, 'cell' | 'sql'>, options: NightOptions = {}): Promise<bigint> {
  const open = (): Promise<bigint> => openSealed(at, options);
  return options.kind === 'sweep' ? asUnswept(at, open) : open();
}

async function openSealed({ cell }: Pick<TestCell, 'cell'>, options: NightOptions): Promise<bigint> {
  const { kind = 'reconcile', maxChanged = null, maxLapsed = null, falls = 'within_limits', batchSize = 100 } = options;
  return cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    const epoch = (await readFence(tx)).epoch + 1n;
    const content = {
      run_id: Number(epoch),
      of: kind,
      batch_size: batchSize,
      lanes: 2,
      max_changed: maxChanged,
      max_lapsed: maxLapsed,
      allow_falls: falls === 'accepted',
    };
    await openSealedMaintenance(tx, await sealInCell(cell, 'maintenance', content));
    await setFence(tx, { state: 'open', epoch, runId: epoch });
    return epoch;
  });
}

export async function closeNight({ cell }: Pick<TestCell, 'cell'>, epoch: bigint): Promise<void> {
  await cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await saveFenceClosed(tx, null);
    await endRun(tx, epoch, 'done');
  });
}

/** A whole night, or one pass of a sweep. */
export async function runNight(
  at: Pick<TestCell, 'cell' | 'context' | 'dataCenter' | 'sql'>,
  options: NightOptions = {},
): Promise<{ readonly runId: bigint; readonly counts: readonly DriftCount[] }> {
  const epoch = await openNight(at, options);
  const job = { dataCenter: at.dataCenter.id, epoch };
  const detected = await detectDrift(at.context, job);
  const { last } = await applyBatches(at.context, { ...job, forMs: 60_000 });
  if (detected !== 'detected' || last.kind !== 'nothing_pending')
    throw new Error(`the night stopped: ${detected}, ${JSON.stringify(last)}`);
  await closeNight(at, epoch);
  return { runId: epoch, counts: await at.cell.inTransaction('fencer', (tx) => readDriftCounts(tx, epoch)) };
}

/** What is stored, in the words of the golden table. */
export interface AllotmentState {
  readonly total: number;
  readonly floor: number | null;
  readonly grandfathered: number;
  readonly winner: string;
  readonly floorEdition: string | null;
  readonly unpaidSince: string | null;
  readonly origin: string;
  readonly version: number;
}

export interface DriftRow {
  readonly cause: string;
  readonly movement: string;
  readonly outcome: string;
  readonly proposed: number | null;
}

export interface Life {
  readonly cell: TestCell;
  /** Org 1. */
  readAllotment(): Promise<AllotmentState | undefined>;
  /** Edits org 1 in the source. */
  edit(change: TestOrg): Promise<void>;
  leave(): Promise<void>;
  sleepDays(days: number): Promise<void>;
  night(options?: NightOptions): Promise<DriftRow | undefined>;
  sweep(): Promise<DriftRow | undefined>;
  /** As after the sweep of a cut-over: the gate's own way there is tested with the gate. */
  cutOver(at?: string): Promise<void>;
  /** Capacity as the product reads it. */
  capacity(): Promise<number | null>;
  /** The cause of the newest before-image. */
  lastCause(): Promise<string | undefined>;
}

/** Long after the sign-up of the test orgs. */
const CUTOVER = '2025-10-30 00:00+00';

/**
 * One org beside 200 others that nothing happens to, rolled out; `first: 'later'` leaves the org out until it is
 * edited.
 */
export async function beginLife(
  org: TestOrg,
  dropped: (() => Promise<void>)[],
  options: TestCellOptions & { readonly first?: 'now' | 'later' } = {},
): Promise<Life> {
  const cell = await createTestCell(options);
  dropped.push(cell.drop);
  if (options.first !== 'later') await cell.insertOrgs({ org_id: 1, ...org });
  await cell.sql(`insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
    select n, 'standard', true, 300, 0, 0, '2024-03-01 12:00+00' from generate_series(1001, 1200) n`);
  await applyAll(cell, { batchSize: 100 });
  return createLife(cell);
}

export function createLife(cell: TestCell): Life {
  const { sql } = cell;
  const drift = async (runId: bigint): Promise<DriftRow | undefined> => {
    const [row] = await sql(
      `select cause, movement, outcome, proposed_floor::float8 as proposed from credit_rollout.drift where run_id = $1 and org_id = 1`,
      [String(runId)],
    );
    return row as DriftRow | undefined;
  };
  return {
    cell,
    readAllotment: async () => {
      const [row] =
        await sql(`select total_credits::float8 as total, floor::float8 as floor, grandfathered_credits::float8 as grandfathered,
        winner, floor_edition as "floorEdition", unpaid_since::text as "unpaidSince", origin, version
        from credit_rollout.allotments where org_id = 1`);
      return row as AllotmentState | undefined;
    },
    edit: async (change) => {
      const columns = Object.keys(change);
      await sql(
        `update public.orgs set ${columns.map((column, index) => `${column} = $${index + 1}`).join(', ')}, updated_at = now() where org_id = 1`,
        Object.values(change),
      );
    },
    leave: async () => {
      await sql('delete from public.orgs where org_id = 1');
    },
    sleepDays: async (days) => {
      await cell.rewritePast(`update credit_rollout.allotments set unpaid_since = unpaid_since - ${Math.trunc(days)};
        update credit_rollout.allotment_changes set before = jsonb_set(before, '{unpaid_since}', to_jsonb(((before ->> 'unpaid_since')::date - ${Math.trunc(days)})::text))
          where before ->> 'unpaid_since' is not null;
        update credit_rollout.allotments a set checksum = credit_rollout.checksum_of(a);
        update credit_rollout.allotment_changes c set before = c.before || jsonb_build_object('checksum',
          credit_rollout.checksum_of(jsonb_populate_record(null::credit_rollout.allotments, c.before)))`);
    },
    night: async (options) => drift((await runNight(cell, options)).runId),
    sweep: async () => drift((await runNight(cell, { kind: 'sweep' })).runId),
    cutOver: async (at = CUTOVER) => {
      await sql(`begin; set local session_replication_role = replica; update credit_rollout.gate set configured_at = '${at}',
        armed_at = '${at}', effective_at = '${at}', latched_at = '${at}', swept_at = '${at}'; commit`);
    },
    capacity: async () => {
      const [row] = await sql('select capacity::float8 as capacity from credit_rollout.org_capacity where org_id = 1');
      return (row?.capacity ?? null) as number | null;
    },
    lastCause: async () => {
      const [row] = await sql(
        'select cause from credit_rollout.allotment_changes where org_id = 1 order by change_id desc limit 1',
      );
      return row?.cause as string | undefined;
    },
  };
}
