// What stops a run at once, on a real server: the fence closes with its own code, and nothing of the batch is written.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { verifyBatches } from '../../../src/engine/batch/verify-batches.js';
import { lockFenceExclusive, setFence } from '../../../src/stores/cell/batch/fence.js';
import { applyCanary, createTestCell, openRun, type TestCell } from '../../support/cell.js';

let cell: TestCell;
let runId: bigint;
let epoch: bigint;

beforeAll(async () => {
  cell = await createTestCell({ orgs: Array.from({ length: 1_000 }, () => ({})) });
  // 20 orgs; the plan has none
  runId = await openRun(cell.cell, cell.card, { batchSize: 100, lanes: 1, rails: { quarantinedShare: 0.02 } });
  epoch = runId;
  await applyCanary(cell.cell, at());
});
afterAll(() => cell.drop());

const at = () => ({ dataCenter: cell.dataCenter.id, epoch, forMs: 60_000 });
const applyOne = () => applyBatches(cell.context, { ...at(), forMs: 0 });

/** As a scheduler does after `retry`. */
async function reopen(state: 'open' | 'verifying'): Promise<void> {
  epoch += 1n;
  await cell.cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await setFence(tx, { state, epoch, runId });
  });
}

const fence = async (): Promise<unknown> => (await cell.sql('select state, failure from credit_rollout.fence'))[0];

const counts = async (): Promise<unknown> =>
  (
    await cell.sql(`select (select count(*)::int from credit_rollout.batches where state = 'done' and kind = 'range') as done,
      (select count(*)::int from credit_rollout.quarantine) as quarantined`)
  )[0];

/** These orgs of the n-th range have an edition that the card does not know. */
const spoil = (range: number, orgs: number): Promise<unknown> =>
  cell.sql(`update public.orgs set edition = 'nobody knows it' where org_id in
    (select org_id from public.orgs order by org_id offset ${(range - 1) * 100 + 10} limit ${orgs})`);

describe('more orgs that cannot be decided than the plan had and its guard-rail lets pass', () => {
  test('are set aside while they are few', async () => {
    await spoil(1, 9);
    await spoil(2, 9);
    expect([(await applyOne()).last.kind, (await applyOne()).last.kind]).toEqual(['done', 'done']);
    expect(await counts()).toEqual({ done: 2, quarantined: 18 });
  });

  test('close the fence with the batch that brings too many, of which nothing is written', async () => {
    await spoil(3, 3);
    expect((await applyOne()).last).toEqual({ kind: 'failed', code: 'quarantine_exceeded' });
    expect(await fence()).toEqual({ state: 'closed', failure: 'quarantine_exceeded' });
    expect(await counts()).toEqual({ done: 2, quarantined: 18 });
    expect((await applyOne()).last).toEqual({ kind: 'fenced' });
  });

  test('let it go on once the source is corrected', async () => {
    await cell.sql(`update public.orgs set edition = 'standard' where edition = 'nobody knows it'`);
    // as an org that the plan could not decide either: its batch is not the reason
    await spoil(4, 2);
    await spoil(5, 2);
    await reopen('open');
    const kinds: string[] = [];
    for (let range = 3; range <= 5; range += 1) kinds.push((await applyOne()).last.kind);
    expect(kinds).toEqual(['done', 'done', 'done']);
    expect(await counts()).toEqual({ done: 5, quarantined: 22 });
  });
});

describe('row-level security that appears on the source', () => {
  test('closes the fence before a batch reads with holes', async () => {
    await cell.sql('alter table public.orgs enable row level security');
    const before = await counts();
    expect((await applyOne()).last).toEqual({ kind: 'failed', code: 'source_row_security' });
    expect(await fence()).toEqual({ state: 'closed', failure: 'source_row_security' });
    expect(await counts()).toEqual(before);
  });

  test('closes it while the run is verified too', async () => {
    await cell.sql('alter table public.orgs disable row level security');
    await reopen('open');
    expect((await applyBatches(cell.context, at())).last).toEqual({ kind: 'nothing_pending' });
    await cell.sql('alter table public.orgs enable row level security');
    await reopen('verifying');
    expect((await verifyBatches(cell.context, at())).last).toBe('fenced');
    expect(await fence()).toEqual({ state: 'closed', failure: 'source_row_security' });
  });
});
