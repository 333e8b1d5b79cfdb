// What a night found and is not so any more when its batch writes: each finding is decided again under the locks of its
// org, and what is over is left alone.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { detectDrift } from '../../../src/engine/reconcile/detect-drift.js';
import { closeNight, createLife, openNight } from '../../scenarios/life/night.js';
import { applyAll, createTestCell, type TestCell } from '../../support/cell.js';

/** Before the search, between the search and the write, and what becomes of org `n`. */
interface Meanwhile {
  readonly before: string;
  readonly since: string;
  readonly left: { readonly cause: string; readonly outcome: string } | undefined;
  readonly total: string | undefined;
}
const at = (set: string) => (n: number) => `update public.orgs set ${set} where org_id = ${n}`;
const remove = (n: number) => `delete from public.orgs where org_id = ${n}`;
const insert = (n: number) => `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits,
  created_at) values (${n}, 'standard', true, 300, 0, 0, '2024-03-01 12:00+00')`;

// standard with 300 seats: 150,000, of which 25,000 are grandfathered
const MEANWHILE: Readonly<Record<string, (n: number) => Meanwhile>> = {
  'an org that is back before its retirement': (n) => ({
    before: remove(n),
    since: insert(n),
    left: { cause: 'gone', outcome: 'unchanged' },
    total: '150000',
  }),
  'an org that left before its first decision': (n) => ({
    before: insert(n + 100),
    since: remove(n + 100),
    left: undefined,
    total: '150000',
  }),
  'a raise whose seats were given back': (n) => ({
    before: at('agents = 900')(n),
    since: at('agents = 300')(n),
    left: { cause: 'seats', outcome: 'unchanged' },
    total: '150000',
  }),
  'a raise that would be a fall by now': (n) => ({
    before: at('additional_credits = 9000')(n),
    since: at('additional_credits = 10')(n),
    left: { cause: 'purchase', outcome: 'unchanged' },
    total: '155000',
  }),
  'an org that cannot be decided any more': (n) => ({
    before: at('additional_credits = 9000')(n),
    since: at('agents = -1')(n),
    left: { cause: 'purchase', outcome: 'unchanged' },
    total: '150000',
  }),
  'a raise that is more by now': (n) => ({
    before: at('additional_credits = 9000')(n),
    since: at('additional_credits = 9500')(n),
    left: { cause: 'purchase', outcome: 'healed' },
    total: '159500',
  }),
  // the limits of the night let heal what was found, and nothing else
  'a finding that somebody took for a proposal': (n) => ({
    before: at('additional_credits = 9000')(n),
    since: `update credit_rollout.drift set outcome = 'proposed' where org_id = ${n}`,
    left: { cause: 'purchase', outcome: 'proposed' },
    total: '150000',
  }),
};
const CASES = Object.entries(MEANWHILE).map(([name, of], n) => ({ name, n: n + 1, ...of(n + 1) }));

let cell: TestCell;
beforeAll(async () => {
  cell = await createTestCell({
    orgs: CASES.map(({ name, n }) => ({ org_id: n, additional_credits: name.includes('a fall') ? 5_000 : 0 })),
  });
  await cell.insertOrgs(...Array.from({ length: 200 }, (_, n) => ({ org_id: 1_001 + n })));
  await applyAll(cell, { batchSize: 200 });
  await createLife(cell).cutOver();
  for (const { before } of CASES) await cell.sql(before);
  const epoch = await openNight(cell);
  const job = { dataCenter: cell.dataCenter.id, epoch };
  expect(await detectDrift(cell.context, job)).toBe('detected');
  for (const { since } of CASES) await cell.rewritePast(since);
  await applyBatches(cell.context, { ...job, forMs: 60_000 });
  await closeNight(cell, epoch);
});
afterAll(() => cell.drop());

describe('a batch of a night', () => {
  test.each(CASES)('$name', async ({ n, left, total }) => {
    const [found] = await cell.sql('select cause, outcome from credit_rollout.drift where org_id = $1', [n]);
    expect(found).toEqual(left);
    const [stored] = await cell.sql('select total_credits as total from credit_rollout.allotments where org_id = $1', [
      n,
    ]);
    expect(stored?.total).toBe(total);
  });

  test('decides nothing for an org that has left', async () => {
    expect(await cell.sql('select org_id from credit_rollout.allotments where org_id between 101 and 199')).toEqual([]);
    expect(await cell.sql('select outcome from credit_rollout.drift where org_id between 101 and 199')).toEqual([
      { outcome: 'unchanged' },
    ]);
  });
});
