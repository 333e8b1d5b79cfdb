// Ranges of the independent verification on a real cell.
import { expect, test } from 'vitest';
import { findRangeEnd, verifyRange } from '../../../../src/stores/cell/batch/verification.js';
import { applyAll, createTestCell } from '../../../support/cell.js';

test('a range ends at the smaller of the stored and the source’s id, by number and not by text', async () => {
  const cell = await createTestCell({ orgs: [{ org_id: 1 }, { org_id: 9 }] });
  try {
    await applyAll(cell);
    await cell.sql('update public.orgs set org_id = 10 where org_id = 9');
    const end = (lowerId: string | null): Promise<string | null> =>
      cell.cell.inTransaction('reader', (tx) => findRangeEnd(tx, lowerId, { size: 1, mode: 'quick' }));
    expect(await end(null)).toBe('9');
    expect(await end('9')).toBe(null);
  } finally {
    await cell.drop();
  }
});

test('a row is foreign where its run was of another card, whether that is the newest run or an older one', async () => {
  const cell = await createTestCell({ orgs: [{ org_id: 1 }, { org_id: 2 }] });
  const runOf = (card: string): Promise<unknown> =>
    cell.rewritePast(`update credit_rollout.runs set card_hash = ${card} where run_id = 1`);
  const broken = async (): Promise<readonly string[]> => {
    const all = { lowerId: null, upperId: null };
    return (await cell.cell.inTransaction('worker', (tx) => verifyRange(tx, all, { runId: null }))).broken.toSorted();
  };
  try {
    await applyAll(cell);
    expect(await broken()).toEqual([]);
    await runOf(`'another'`);
    expect(await broken()).toEqual(['1', '2']);
    await cell.rewritePast(`insert into credit_rollout.runs (run_id, kind, state, card_hash, batch_size, lanes, ended_at)
      values (99, 'migrate', 'done', 'newer', 1, 1, now())`);
    expect(await broken()).toEqual(['1', '2']);
    await runOf('(select rate_card from credit_rollout.allotments limit 1)');
    expect(await broken()).toEqual([]);
  } finally {
    await cell.drop();
  }
});
