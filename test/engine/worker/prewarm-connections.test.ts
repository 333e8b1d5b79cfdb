// What a worker does so that the first batches find their connections ready: nothing that anybody could see.
import { afterEach, describe, expect, test } from 'vitest';
import { prewarmConnections } from '../../../src/engine/worker/prewarm-connections.js';
import { createTestCell, type TestCell } from '../../support/cell.js';
import { fillCell } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeCell(orgs: number): Promise<TestCell> {
  const cell = await createTestCell();
  dropped.push(cell.drop);
  await fillCell(cell, orgs);
  return cell;
}

const connections = async ({ sql }: TestCell): Promise<unknown> =>
  (
    await sql(`select count(*)::int as open from pg_stat_activity
      where datname = current_database() and application_name = 'credit-rollout' and state = 'idle'`)
  )[0]?.open;

describe('prewarmConnections', () => {
  test('leaves as many connections open as there are lanes, and writes nothing', async () => {
    const cell = await makeCell(50);
    await prewarmConnections(cell.context, cell.dataCenter.id, 3);
    expect(await connections(cell)).toBeGreaterThanOrEqual(3);
    expect(await cell.sql('select count(*)::int as rows from credit_rollout.allotments')).toEqual([{ rows: 0 }]);
  });

  test('leaves a cell alone whose views are detached, and never fails', async () => {
    const cell = await makeCell(0);
    await prewarmConnections(cell.context, cell.dataCenter.id, 2);
    await cell.sql('update credit_rollout.cell set source_signature = null');
    await prewarmConnections(cell.context, cell.dataCenter.id, 2);
    expect(await cell.sql('select count(*)::int as rows from credit_rollout.allotments')).toEqual([{ rows: 0 }]);
  });
});
