// `why` on a real cell: what is stored, whether it can be shown to follow, and what a recompute would change.
import { afterEach, describe, expect, test } from 'vitest';
import { explainOrg, type OrgExplanation } from '../../../src/engine/org/explain-org.js';
import { changeCard, secondCard } from '../../domain/rate-card/sample-card.js';
import { applyAll, createTestCell, type TestCell, type TestCellOptions, type TestOrg } from '../../support/cell.js';
import { explained } from '../../support/explained.js';

const made: TestCell[] = [];
const makeCell = async (options?: TestCellOptions): Promise<TestCell> => {
  const cell = await createTestCell(options);
  made.push(cell);
  return cell;
};
const why = (cell: TestCell, orgId = '1'): Promise<OrgExplanation> =>
  explainOrg(cell.context, { dataCenter: cell.dataCenter.id, orgId });
/** A cell in which these orgs were rolled out. */
const makeApplied = async (...orgs: readonly TestOrg[]): Promise<TestCell> => {
  const cell = await makeCell({ orgs });
  await applyAll(cell);
  return cell;
};
/** Arms, latches and, if asked, sweeps the gate at an instant. */
const cutOver = (cell: TestCell, at: string, swept = true): Promise<unknown> =>
  cell.sql(
    `update credit_rollout.gate set armed_at = $1, effective_at = $1, latched_at = $1, swept_at = case when $2 then $1::timestamptz end`,
    [at, swept],
  );

afterEach(async () => {
  await Promise.all(made.splice(0).map((cell) => cell.drop()));
});

describe('explainOrg', () => {
  test('explains a grandfathered org and finds it unchanged', async () => {
    const cell = await makeApplied({ additional_credits: 10_000 });
    const org = await why(cell, '001');
    expect(org).toMatchObject({ orgId: '1', capacity: { model: 'credits', capacity: 160_000n }, quarantine: null });
    expect(org.lines).toEqual([
      `edition standard (paid), rate card desk-2025-10 ${cell.card.hash}`,
      'plan credits 125,000 = base 50,000 + 300 agents × 250 = 75,000',
      'legacy limit 150,000 (300 users × 500, at least 25,000, at most 250,000)',
      'floor 150,000 (the number it was promised), recorded with standard. First decision of a paid org from before the cut-over: the floor is its legacy limit.',
      'total 160,000 credits a day = plan 125,000 + grandfathered 25,000 + additional 10,000; the legacy limit wins; 10 concurrent calls',
    ]);
    expect(org.recompute).toMatchObject({ movement: 'same', when: 'never', changes: [] });
    expect(org.recompute.summary).toBe('recompute now: 160,000 ✔ unchanged');
    // the only one of its branch: the canary
    expect(org.batch).toMatchObject({ runId: 1n, epoch: 1n, batchNo: 0 });
  });

  test('names an org as its row does where case does not count', async () => {
    const cell = await makeCell({ idType: 'text', key: 'none', init: 'left' });
    await cell.sql(`create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      alter table public.orgs alter column org_id type text collate public.any_case;
      alter table public.orgs add primary key (org_id)`);
    await cell.init();
    await cell.insertOrgs({ org_id: 'Acme' }, { org_id: 'Bcme' });
    await applyAll(cell);
    expect(await why(cell, 'ACME')).toMatchObject({ orgId: 'Acme', recompute: { movement: 'same' } });
    await cell.sql('delete from credit_rollout.allotments');
    expect(await why(cell, 'acmE')).toMatchObject({ orgId: 'Acme' });
    await expect(why(cell, 'ACM')).rejects.toMatchObject({ code: 'org_not_found' });
  });

  test('keeps numbers beyond 2^53 exact through source, row and history', async () => {
    const cell = await makeApplied({
      edition: 'enterprise',
      agents: 0,
      legacy_limit: 9_007_199_254_740_993n,
      additional_credits: 7,
    });
    await cell.sql('update public.orgs set additional_credits = 8');
    await applyAll(cell);
    const org = await why(cell);
    expect(org.stored?.allotment.totalCredits).toBe(9_007_199_254_741_001n);
    expect(org.history[0]).toMatchObject({ cause: 'apply', before: { totalCredits: 9_007_199_254_741_000n } });
    expect(org.recompute.summary).toBe('recompute now: 9,007,199,254,741,001 ✔ unchanged');
    expect(org.lines[3]).toContain('The floor is kept.');
  });

  test('shows before the first decision what would be written', async () => {
    const cell = await makeCell({ orgs: [{}] });
    const org = await why(cell);
    expect(org).toMatchObject({
      stored: null,
      lines: [],
      batch: null,
      capacity: { model: 'legacy', capacity: 150_000n },
    });
    expect(org.recompute).toMatchObject({ kind: 'decided', movement: 'first', when: 'at_once' });
    expect(org.recompute.summary).toBe(
      'recompute now: 150,000, not written yet: the next apply or nightly run writes it',
    );
    expect(org.recompute.lines[4]).toContain('total 150,000');
  });

  test.each<[string, string, string, string]>([
    [
      'a raise',
      'agents = 400',
      'at_once',
      'recompute now: 200,000 (stored 150,000, floor 150,000 → 200,000): rises at once by the next apply or nightly run',
    ],
    [
      'a raise of the floor alone',
      'legacy_limit = 150001, agents = 300, additional_credits = 0',
      'at_once',
      'recompute now: 150,001 (stored 150,000, floor 150,000 → 150,001): rises at once by the next apply or nightly run',
    ],
    ['a fall', 'paid = false', 'nightly', 'recompute now: 5,000 (stored 150,000): falls in the nightly run'],
    [
      'mere inputs',
      'agents = 299',
      'nightly',
      'recompute now: 150,000 ✔ the same number; agents, variable_credits, legacy_limit, grandfathered_credits will be updated by the nightly run',
    ],
  ])('shows when %s would be written', async (_, change, when, summary) => {
    const cell = await makeApplied({});
    await cell.sql(`update public.orgs set ${change}`);
    const { recompute } = await why(cell);
    expect(recompute).toMatchObject({ kind: 'decided', when, summary });
  });

  test('agrees with the rule in SQL on how each org would move', async () => {
    const cell = await makeApplied({}, {}, {}, {}, {});
    await cell.sql(`update public.orgs set agents = (array[300, 400, 299, 300, 300])[org_id], paid = org_id <> 4,
      light_agents = case org_id when 5 then 990 else 0 end`);
    const decided = await cell.sql(
      'select org_id::text, movement, proposed_floor from credit_rollout.decided order by org_id',
    );
    for (const { org_id, movement, proposed_floor } of decided) {
      const { recompute } = await why(cell, String(org_id));
      const proposedFloor = proposed_floor === null ? null : BigInt(String(proposed_floor));
      expect(recompute).toMatchObject({ movement, proposedFloor });
    }
  });

  test('counts a new card with the same numbers as inputs that the nightly run brings up to date', async () => {
    const cell = await makeApplied({});
    const renamed = changeCard((spec) => (spec.edition === 'express' ? { ...spec, concurrency: 11 } : spec));
    await cell.init(renamed);
    await cell.sql('update credit_rollout.cell set active_card = $1', [renamed.hash]);
    const { recompute, lines } = await why(cell);
    expect(recompute).toMatchObject({ movement: 'inputs', changes: [] });
    expect(recompute.summary).toContain('its rate card will be updated');
    expect(lines[0]).toContain(cell.card.hash);
  });

  test('explains the stored row with the card it was computed with, and recomputes with the active one', async () => {
    const cell = await makeApplied({ edition: 'enterprise', agents: 25 });
    await cell.init(secondCard);
    await cell.sql('update credit_rollout.cell set active_card = $1', [secondCard.hash]);
    const org = await why(cell);
    expect(org.lines[1]).toBe('plan credits 125,000 = base 100,000 + 25 agents × 1,000 = 25,000');
    expect(org.recompute.summary).toBe('recompute now: 100,000 (stored 125,000): falls in the nightly run');
  });

  test('gives the reason of an undecidable org, which keeps what it has', async () => {
    const cell = await makeApplied({});
    await cell.sql('update public.orgs set agents = null');
    await applyAll(cell);
    const org = await why(cell);
    expect(org.quarantine).toMatchObject({ reason: 'null_agents', runId: 2n });
    expect(org.recompute).toMatchObject({ kind: 'quarantine', reason: 'null_agents' });
    expect(org).toMatchObject({ capacity: { capacity: 150_000n }, stored: { version: 1 } });
    expect(org.lines[4]).toContain('total 150,000');
  });

  test('calls the floor of an org that left the source not provable only where its sign-up matters', async () => {
    const cell = await makeApplied({}, { paid: false });
    await cell.sql('delete from public.orgs');
    const before = await why(cell);
    expect(before).toMatchObject({ source: null, capacity: null, recompute: { kind: 'gone' } });
    expect(before.lines[3]).toContain('First decision of a paid org');
    // as if it had been decided after the gate was armed
    await cutOver(cell, '2025-10-30T00:00:00Z', false);
    expect((await why(cell)).lines[3]).toBe(
      'floor 150,000 (the number it was promised), recorded with standard. not provable: when it signed up is not known, since it left the source.',
    );
    expect((await why(cell, '2')).lines[3]).toBe('floor none. It is unpaid: no floor is set.');
  });

  test('takes a recorded sign-up for the instant that is gone', async () => {
    const cell = await makeApplied({});
    await cell.sql('delete from public.orgs');
    await cutOver(cell, '2025-10-30T00:00:00Z', false);
    await cell.sql(`insert into credit_rollout.sign_ups values (1, 'legacy', '2025-10-07 00:00+00')`);
    const org = await why(cell);
    expect(org.lines[3]).toContain('First decision of a paid org');
    expect(org.signUp?.model).toBe('legacy');
  });

  test.each([
    ['infinity', 'no floor'],
    ['-infinity', 'from before the cut-over'],
  ])('decides an org created at %s', async (created_at, because) => {
    const cell = await makeCell({ orgs: [{ created_at }] });
    await cutOver(cell, '2025-10-30T00:00:00Z');
    const { source, recompute } = await why(cell);
    expect(source?.createdAtText).toBe(created_at);
    expect(recompute.lines[3]).toContain(because);
  });

  test('calls terms not provable that were edited by hand', async () => {
    const cell = await makeApplied({});
    await cell.sql(
      'update credit_rollout.allotments set variable_credits = variable_credits + 1, total_credits = total_credits + 1',
    );
    expect((await why(cell)).lines).toEqual([
      'not provable: variable_credits, total_credits do not follow from the stored inputs; the last recorded change has the cause "manual edit".',
      'stored total 150,001 credits a day, floor 150,000',
    ]);
  });

  test('calls a floor not provable that was raised by hand', async () => {
    const cell = await makeApplied({});
    await cell.sql(`update credit_rollout.allotments set floor = floor + 50000, total_credits = total_credits + 50000,
      grandfathered_credits = grandfathered_credits + 50000`);
    expect((await why(cell)).lines[3]).toBe(
      'floor 200,000 (the number it was promised), recorded with standard. not provable: the rule would not give this floor; the last recorded change has the cause "manual edit".',
    );
  });

  test('reports that a source row cannot be read', async () => {
    const cell = await makeCell({ view: true, orgs: [{}] });
    await applyAll(cell);
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid, (agents / 0)::bigint as agents,
      light_agents, additional_credits, legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    const org = await why(cell);
    expect(org).toMatchObject({ source: null, recompute: { kind: 'unreadable' }, stored: { version: 1 } });
  });

  test.each(['seven', '', '9'.repeat(30)])('rejects %j as an id of this cell', async (orgId) => {
    const cell = await makeCell();
    await expect(why(cell, orgId)).rejects.toMatchObject({
      code: 'invalid_org_id',
      message: `"${orgId}" is not an org id of the type that data center "${cell.dataCenter.id}" uses.`,
    });
  });

  test('finds no org that is neither in the source nor stored', async () => {
    const cell = await makeCell({ idType: 'uuid', orgs: [{}] });
    const id = '00000000-0000-4000-8000-00000000ffff';
    await expect(why(cell, id)).rejects.toMatchObject({ code: 'org_not_found', message: expect.stringContaining(id) });
  });

  test('names init where the cell has no schema yet', async () => {
    const cell = await makeCell({ init: 'left' });
    await expect(explained(why(cell))).rejects.toMatchObject({
      code: 'not_initialised',
      message: expect.stringContaining(`Data center "${cell.dataCenter.id}"`),
    });
  });
});
