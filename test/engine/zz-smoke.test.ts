import { expect, test } from 'vitest';
import { applyAll, createTestCell } from '../support/cell.js';
test.each(['bigint','text','uuid','smallint','varchar'] as const)('smoke %s', async (idType) => {
  const t = await createTestCell({ idType, view: idType === 'text', orgs: [{}, { edition: 'nope' }, { legacy_limit: 2n ** 62n, created_at: 'infinity' }] });
  console.log(await applyAll(t));
  const rows = await t.sql('select org_id, total_credits, run_id from credit_rollout.allotments order by 1');
  console.log(rows);
  expect(rows).toHaveLength(2);
  await t.drop();
});
