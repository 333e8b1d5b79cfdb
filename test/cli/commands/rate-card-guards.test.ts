// What a rate card may not be: one whose cases fail blocks every plan, and one that changes what floors were promised
// by blocks every apply. On real Postgres.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sampleCardText } from '../../domain/rate-card/sample-card.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
const dc = (place: number): string => fleet.cell(place).dataCenter.id;
const run = (...args: readonly string[]): Promise<RanCommand> =>
  runCommand(...args, '--config', join(folder, 'rollout.config.yaml'));

/** The first data center is done and has floors; the second has none. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-card-'));
  fleet = await createFleet({ cells: [{}, {}], orgs: 200 });
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  await writeFile(
    join(folder, 'rollout.config.yaml'),
    `controlDatabase: "${fleet.controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ./card.yaml\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done', 'pending']);
  // so that there is something to apply again
  await fleet.cell(0).sql('update public.orgs set agents = agents + 1000');
}, 60_000);
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

const useCard = (text: string): Promise<void> => writeFile(join(folder, 'card.yaml'), text);
/** The shipped card without its cases, with one thing changed. */
function changeCard(from: string, to: string): string {
  const card = sampleCardText.slice(0, sampleCardText.indexOf('cases:'));
  expect(card).toContain(from);
  return card.replace(from, to);
}
const countPlans = () => fleet.cell(1).sql('select count(*)::int as plans from credit_rollout.plans');
const countRequests = () =>
  fleet.control('select count(requested_at)::int as asked from credit_rollout_control.data_centers');

describe('a card whose golden case fails', () => {
  const failing = sampleCardText.replace('base: 75000', 'base: 75001');

  test.each([
    ['plan', ['plan']],
    ['a dry apply', ['apply']],
    ['apply', ['apply', '--execute']],
  ])('blocks %s, and nothing is kept or asked for', async (_, command) => {
    await useCard(failing);
    const { code, err } = await run(...command, '--dc', dc(1));
    expect([code, err]).toEqual([1, expect.stringContaining('error [rate_card_case_failed]')]);
    expect(await countPlans()).toEqual([{ plans: 0 }]);
    expect(await countRequests()).toEqual([{ asked: 0 }]);
  });

  test('blocks a what-if with it', async () => {
    await useCard(sampleCardText);
    const other = join(folder, 'other.yaml');
    await writeFile(other, failing);
    const { code, err } = await run('plan', '--dc', dc(1), '--rate-card', other);
    expect([code, err]).toEqual([1, expect.stringContaining('error [rate_card_case_failed]')]);
  });
});

describe('a card that changes the promise', () => {
  test.each([
    ['the legacy half', 'max: 250000', 'max: 249999', 'edition "standard" has another legacy half'],
    ['the order of editions', 'base: 75000', 'base: 49000', 'has another place in the order of editions'],
    ['an edition', '  free: {', '  gratis: {', 'edition "free" is missing'],
    ['who counts as a user', 'AsUsers: true', 'AsUsers: false', 'it counts light agents differently'],
  ])('in %s is rejected where floors exist', async (_, from, to, why) => {
    await useCard(
      changeCard(from, to).replace('unpaid: free', to.includes('gratis') ? 'unpaid: gratis' : 'unpaid: free'),
    );
    const { code, err } = await run('apply', '--dc', dc(0), '--execute');
    expect([code, err]).toEqual([1, expect.stringContaining('error [rate_card_changes_promise]')]);
    expect(err).toContain(why);
    expect(await countRequests()).toEqual([{ asked: 0 }]);
  });

  test('is none when only credits change, or where no floor exists', async () => {
    await useCard(changeCard('perAgent: 250', 'perAgent: 260'));
    expect((await run('apply', '--dc', dc(0), '--execute')).code).toBe(0);
    await useCard(changeCard('max: 250000', 'max: 249999'));
    expect((await run('plan', '--dc', dc(1))).code).toBe(0);
  });
});

const hashOf = (planJson: string): unknown => JSON.parse(planJson).card_hash;

describe('a card that lowers and raises nothing', () => {
  test('becomes the card of a data center that is done, though nothing is written', async () => {
    await fleet.drive();
    const total = () => fleet.cell(0).sql('select sum(total_credits)::text as total from credit_rollout.allotments');
    const before = await total();
    await useCard(changeCard('perAgent: 250', 'perAgent: 240'));
    const card = hashOf((await run('plan', '--dc', dc(0), '--json')).out);
    expect((await run('apply', '--dc', dc(0))).out).toMatch(
      /Nothing was changed\. To do it: .*--execute --revision \d+$/mu,
    );
    expect((await run('apply', '--dc', dc(0), '--execute')).out).toContain('requested');
    expect(await fleet.drive()).toEqual(['done', 'pending']);
    expect(await fleet.cell(0).sql('select active_card as card from credit_rollout.cell')).toEqual([{ card }]);
    expect(await total()).toEqual(before);
    expect((await run('apply', '--dc', dc(0), '--execute')).out).toContain('nothing to change');
  });
});
