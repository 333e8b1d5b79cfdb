// What a worker's login writes between runs, and what falls in one, is what the rule gives: inputs of its own make no
// number right.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CellScene, openCellScene, REFUSED } from './cell-scene.js';

let scene: CellScene;
beforeAll(async () => {
  scene = await openCellScene();
  await scene.cell.sql(`update public.orgs set additional_credits = 10000 where org_id = 3`);
  await scene.cell.sql(`set session_replication_role = replica;
    update credit_rollout.allotments set additional_credits = 10000, total_credits = total_credits + 10000,
      checksum = null where org_id = 3; set session_replication_role = origin`);
});
afterAll(() => scene.drop());

const letFeedThrough = (): Promise<unknown> =>
  scene.cell.sql(`set session_replication_role = replica; update credit_rollout.fence set single_writes = true;
    set session_replication_role = origin`);
const numbers = (): Promise<readonly Record<string, unknown>[]> =>
  scene.cell.sql('select org_id, paid, agents, total_credits from credit_rollout.allotments order by org_id');

// each an update that breaks no CHECK: the sums are right, and so is the floor of what is not paid
const LAPSE = `paid = false, unpaid_since = (select (now() at time zone zone)::date from credit_rollout.cell),
  base_credits = 5000, variable_credits = 0, grandfathered_credits = 0, winner = 'credits',
  total_credits = 5000 + additional_credits where org_id = 2`;
const GIFT = `agents = 900000, variable_credits = 900000 * 500, grandfathered_credits = 0, winner = 'credits',
  total_credits = base_credits + 900000 * 500 + additional_credits where org_id = 2`;
const CREDITS = `additional_credits = 0, total_credits = total_credits - additional_credits where org_id = 3`;
const AGENTS = `agents = 0, variable_credits = 0, grandfathered_credits = floor - base_credits, winner = 'legacy',
  total_credits = floor + additional_credits where org_id = 2`;
const INPUTS = `agents = agents + 1 where org_id = 2`;
const CARD = `rate_card = repeat('0', 64) where org_id = 2`;
const write = (set: string): string => `update credit_rollout.allotments set ${set}`;

describe('between runs', () => {
  test.each([
    ['calls a paying org unpaid', LAPSE],
    ['takes what an org bought', CREDITS],
    ['leaves an org its bare floor', AGENTS],
    ['gives an org what no org has', GIFT],
    ['writes inputs that the source does not have', INPUTS],
    ['names another card', CARD],
  ])('a worker %s: refused, and nothing is changed', async (_what, set) => {
    const before = await numbers();
    await letFeedThrough();
    expect(await scene.logins.worker.attempt(write(set))).toBe(REFUSED.restriction);
    expect(await numbers()).toEqual(before);
  });

  test('a worker writes no first decision', async () => {
    await letFeedThrough();
    const first = `insert into credit_rollout.allotments (org_id, edition, paid, agents, light_agents, base_credits,
        variable_credits, additional_credits, legacy_limit, grandfathered_credits, total_credits, concurrency_limit,
        winner, origin, rate_card)
      select 777, edition, paid, agents, light_agents, base_credits, variable_credits, additional_credits, legacy_limit,
        grandfathered_credits, total_credits, concurrency_limit, winner, origin, rate_card
      from credit_rollout.allotments where org_id = 2`;
    expect(await scene.logins.worker.attempt(first)).toBe(REFUSED.state);
  });

  test('a worker writes again what the rule gives, and what it gives once the source has changed', async () => {
    await letFeedThrough();
    expect(await scene.logins.worker.attempt(write('computed_at = now() where org_id = 2'))).toBe('done');
    await scene.cell.sql('update public.orgs set agents = agents + 100 where org_id = 4');
    const raise = `update credit_rollout.allotments a set agents = d.agents, variable_credits = d.variable_credits,
        grandfathered_credits = d.grandfathered_credits, total_credits = d.total_credits, winner = d.winner,
        legacy_limit = d.legacy_limit, floor = d.floor, floor_edition = d.floor_edition
      from credit_rollout.decided(null, null, '{4}', null) d where d.org_id = a.org_id`;
    expect(await scene.logins.worker.attempt(raise)).toBe('done');
  });
});

describe('in an open run', () => {
  afterEach(() => scene.close());

  test.each([
    ['calls a paying org unpaid', LAPSE],
    ['takes what an org bought', CREDITS],
  ])('a worker %s: refused, and nothing is changed', async (_what, set) => {
    const before = await numbers();
    await scene.open();
    for (const cause of ['', 'lapse', 'override'])
      expect(
        await scene.logins.worker.attempt(`select set_config('credit_rollout.cause', '${cause}', false)`, write(set)),
      ).toBe(REFUSED.restriction);
    expect(await numbers()).toEqual(before);
  });
});
