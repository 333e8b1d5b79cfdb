// The rows of the life of an org that happen "at once" happen by the change feed, whichever way it finds the edit; the
// rows that wait for the night are left alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import type { TestCell } from '../../support/cell.js';
import { expectInvariants } from '../../support/invariants.js';
import { createFedCell, edit, type FeedBy, readTotal } from './feed-cell.js';
import { ROWS, type Row } from './rows.js';

const idOf = (row: Row): number => ROWS.indexOf(row) + 1;

describe.each(['triggers', 'updates'] as const)('feedChanges by %s', (by: FeedBy) => {
  const cells = new Map<Row['window'], TestCell>();
  const cellOf = (window: Row['window']): TestCell => {
    const cell = cells.get(window);
    if (cell === undefined) throw new Error('made before');
    return cell;
  };
  const feed = (cell: TestCell) => feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' });

  beforeAll(async () => {
    for (const window of ['open', 'swept'] as const) {
      const orgs = ROWS.map((row) => ({ ...row.org, org_id: idOf(row) }));
      const cell = await createFedCell(by, { orgs });
      cells.set(window, cell);
    }
    await cellOf('swept').sql(
      `update credit_rollout.gate set armed_at = '2025-10-01', effective_at = '2025-10-30', latched_at = '2025-10-30', swept_at = '2025-10-31'`,
    );
  });
  afterAll(async () => {
    for (const cell of cells.values()) await cell.drop();
  });

  test.each(ROWS)('$row', async (row) => {
    const cell = cellOf(row.window);
    for (const statement of row.meanwhile?.split(';') ?? [])
      await cell.rewritePast(statement.replaceAll('$1', String(idOf(row))));
    const before = await readTotal(cell, idOf(row));
    await edit(cell, idOf(row), row.set);
    expect((await feed(cell)).kind).toBe('read');
    const after = await readTotal(cell, idOf(row));
    expect(after).toMatchObject({ total: row.total, floor: row.floor });
    if (row.cause === undefined || row.cause === before?.cause) expect(after?.version).toBe(before?.version);
    else expect(after?.cause).toBe(row.cause);
  });

  test('writes no org without an allotment, reads a second time in vain, and belongs to no run', async () => {
    const cell = cellOf('swept');
    await cell.insertOrgs({ org_id: 9_001, updated_at: new Date().toISOString() });
    await edit(cell, 9_001, 'agents = 400');
    expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 0 });
    expect(await readTotal(cell, 9_001)).toBe(undefined);
    expect(
      await cell.sql(
        `select from credit_rollout.allotment_changes c join credit_rollout.allotments a using (org_id)
         where c.cause <> 'manual edit' and (c.run_id is not null or a.run_id is not null)`,
      ),
    ).toEqual([]);
    await expectInvariants({
      cells: [{ id: cell.dataCenter.id, sql: cell.sql }],
      except: ['I1', 'I22'],
    });
  });

  test('counts what it raised', async () => {
    const [row] = await cellOf('open').sql('select raised, failure from credit_rollout.feed');
    expect(row).toEqual({ raised: '4', failure: null });
  });
});
