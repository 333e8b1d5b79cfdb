// Ranges of the independent verification on a real cell.
import { expect, test } from 'vitest';
import { findRangeEnd } from '../../../../src/stores/cell/batch/verification.js';
import { applyAll, createTestCell } from '../../../support/cell.js';

test('a range ends at the smaller of the stored and the source’s id, by number and not by text', async () => {
  const cell = await createTestCell({ orgs: [{ org_id: 1 }, { org_id: 9 }] });
  try {
    await applyAll(cell);
    await cell.sql('update public.orgs set org_id = 10 where org_id = 9');
    const end = (lowerId: string | null): Promise<string | null> =>
      cell.cell.inTransaction('reader', (tx) => findRangeEnd(tx, lowerId, 1));
    expect(await end(null)).toBe('9');
    expect(await end('9')).toBe(null);
  } finally {
    await cell.drop();
  }
});
