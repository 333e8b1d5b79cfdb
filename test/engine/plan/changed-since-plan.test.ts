// What changed after a plan was made, in one cell and org by org: every input is noticed by itself, every limit of one
// org keeps it out of the follow-up, and what the follow-up writes is verified again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { addFollowUp } from '../../../src/stores/cell/batch/runs.js';
import { CHANGED_ORGS, changeEveryInput } from '../../stores/cell/batch/changed-orgs.js';
import { applyCanary, createTestCell, openRun, type TestCell, type TestOrg } from '../../support/cell.js';

const CHANGED = CHANGED_ORGS.map(({ org_id }) => Number(org_id));

/** Standard with 300 seats has 125,000 by formula, and 150,000 calls before. */
const RAILS = { maxRaiseFactor: 2, floorOverPlan: 1.2 };
/** Orgs that come after the plan: at each limit of one org, just above it, and protected. */
const NEW: readonly TestOrg[] = [
  { org_id: 11, legacy_limit: 62_500 },
  { org_id: 12, legacy_limit: 62_499 },
  { org_id: 13 },
  { org_id: 14, agents: 301 },
  { org_id: 15, legacy_limit: 130_000 },
];
/** In a range of its own: only the digest of the range tells, since its sum stays. */
const ALONE = { org_id: 133, legacy_limit: 250_000 };
const WITHIN = [11, 13];
const OUTSIDE = [12, 14, 15];

let cell: TestCell;
let runId: bigint;
beforeAll(async () => {
  const others = Array.from({ length: 32 }, (_, n) => ({ org_id: 101 + n }));
  cell = await createTestCell({ orgs: [...CHANGED_ORGS, ...others, ALONE] });
  runId = await openRun(cell.cell, cell.card, { batchSize: 13 });
  await cell.rewritePast(`update credit_rollout.runs set rails = rails || '${JSON.stringify(RAILS)}'`);
  await changeEveryInput(cell);
  await cell.sql(`update public.orgs set agents = 301 where org_id = ${ALONE.org_id}`);
  await cell.insertOrgs(...NEW);
  await cell.sql(`insert into credit_rollout.protected_orgs (org_id, protected_by) values (15, 'a test')`);
  await applyCanary(cell.cell, at());
  await applyBatches(cell.context, at());
});
afterAll(() => cell.drop());

const at = () => ({ dataCenter: cell.dataCenter.id, epoch: runId, forMs: 60_000 });
const listIds = async (sql: string): Promise<readonly number[]> =>
  (await cell.sql(`${sql} order by 1`)).map((row) => Number(Object.values(row)[0]));

describe('a run', () => {
  test('leaves out every org of which one input has changed, though its sum may be the same', async () => {
    const stale = (reason: string) =>
      listIds(`select org_id from credit_rollout.stale_orgs where reason = '${reason}' and settled_at is null`);
    expect(await stale('changed')).toEqual([...CHANGED, ALONE.org_id]);
    expect(await stale('appeared')).toEqual([...WITHIN, ...OUTSIDE].toSorted((one, other) => one - other));
    expect(await listIds('select org_id from credit_rollout.allotments where org_id < 100')).toEqual([]);
    expect(await listIds('select org_id from credit_rollout.allotments')).toHaveLength(32);
  });
});

describe('the follow-up', () => {
  test('has the ranges of its orgs verified again, and no other', async () => {
    await cell.rewritePast('update credit_rollout.batches set verified_at = clock_timestamp()');
    expect(await cell.cell.inTransaction('fencer', (tx) => addFollowUp(tx, runId))).toBe(1);
    const ranges = await cell.sql(`select b.verified_at is not null as verified, exists (
        select from credit_rollout.stale_orgs s where (b.lower_id is null or s.org_id >= b.lower_id)
          and (b.upper_id is null or s.org_id < b.upper_id)) as follows
      from credit_rollout.batches b where b.kind = 'range' order by b.batch_no`);
    expect(ranges).toEqual([
      { verified: false, follows: true },
      { verified: true, follows: false },
      { verified: false, follows: true },
    ]);
  });

  test('writes what is at each limit of one org, and nothing beyond one or protected', async () => {
    await applyBatches(cell.context, at());
    const settled = (how: string) => listIds(`select org_id from credit_rollout.stale_orgs where settled ${how}`);
    expect(await settled(`= 'applied'`)).toEqual([...CHANGED, ...WITHIN, ALONE.org_id]);
    expect(await settled('is null')).toEqual(OUTSIDE);
    expect(await listIds('select org_id from credit_rollout.allotments where org_id < 100')).toEqual([
      ...CHANGED,
      ...WITHIN,
    ]);
  });
});
