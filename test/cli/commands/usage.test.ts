// usage and exception on the command line: two people, and orgs whose usage a meter wrote.
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEmptyUsage, type DayUsage } from '../../../src/domain/meter/usage.js';
import { createMeterCell } from '../../../src/engine/usage/meter-cell.js';
import { recordUsage } from '../../../src/engine/usage/record-usage.js';
import { createMemoryMeterStore } from '../../../src/stores/meter/memory-meter-store.js';
import { createHandClock, openMeter } from '../../metering/meter-scene.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
let dc = '';
type As = (...args: readonly string[]) => Promise<RanCommand>;
let alice: As;
let bob: As;

/** Orgs 1 to 6: standard, paid, 300 agents, 150,000 credits; 7 does not pay, and 8 is not migrated. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-usage-'));
  fleet = await createFleet({ cells: [{ orgs: [{}, {}, {}, {}, {}, {}, { paid: false }] }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  dc = fleet.cell(0).dataCenter.id;
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.cell(0).insertOrgs({ org_id: 8 });
  [alice, bob] = (await Promise.all(crowd.people.map(asPerson))) as [As, As];
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

async function asPerson({ name, controlUrl }: TestPerson): Promise<As> {
  const config = join(folder, `${name}.yaml`);
  const { url, dataCenter } = fleet.cell(0);
  await writeFile(
    config,
    `controlDatabase: "${controlUrl}"\nqueue: redis://127.0.0.1:1\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\n`,
  );
  return (...args) => runCommand(...args, '--config', config);
}

async function measure(orgId: string, daysAgo: number, changes: Partial<DayUsage>): Promise<void> {
  const { cell, sql } = fleet.cell(0);
  const [row] = await sql(
    `select ((now() at time zone c.zone)::date - $1::integer)::text as day from credit_rollout.cell c`,
    [daysAgo],
  );
  const day = String(row?.day);
  await recordUsage(cell, [{ ...createEmptyUsage(orgId, day, 'credits'), calls: 1, ...changes }]);
}

/** Of the lines of a text, but for those that a person copies: the configuration's path is as long as it is. */
const widest = (text: string): number =>
  Math.max(
    ...text
      .replaceAll(dc, 'in')
      .split('\n')
      .map((line) => (line.includes('--config') ? 0 : line.length)),
  );
const floorOf = async (org: number): Promise<unknown> =>
  (await fleet.cell(0).sql('select floor::int from credit_rollout.allotments where org_id = $1', [org]))[0]?.floor;

describe('usage', () => {
  test('says that nothing was measured, and needs a data center', async () => {
    expect((await alice('usage', '--dc', dc)).out).toContain('nothing was measured yet');
    expect((await alice('usage')).code).toBe(1);
  });

  test('shows who is near, who is refused since the migration and not before, by edition and branch', async () => {
    await measure('1', 0, { credits: 149_000, kinds: { list: { calls: 1, credits: 149_000 } } });
    await measure('2', 9, { model: 'legacy', credits: 9_000 });
    await measure('2', 0, { credits: 10_000, shadowByCredits: 4, shadowByConcurrency: 1 });
    // refused before, and refused since: only since is news
    await measure('3', 9, { model: 'legacy', credits: 400_000, refusedByCredits: 4 });
    await measure('3', 2, { credits: 150_000, refusedByCredits: 7 });
    await measure('4', 9, { model: 'legacy', credits: 200_000 });
    await measure('4', 2, { credits: 150_000, refusedByCredits: 5, refusedByConcurrency: 2 });
    // nothing is known of the time before
    await measure('5', 2, { credits: 150_000, refusedByCredits: 5 });
    for (const daysAgo of [0, 1]) await measure('8', daysAgo, { model: 'legacy', peakInFlight: 11 });
    const { code, out } = await bob('usage', '--dc', dc, '--json');
    const json = JSON.parse(out);
    expect([code, json.near, json.refused_since]).toMatchObject([
      0,
      [{ org_id: '1', used: '149000', total: '150000' }],
      [
        { org_id: '4', refused: '5', would_be_refused: '0' },
        { org_id: '2', refused: '0', would_be_refused: '4' },
      ],
    ]);
    expect(json.editions).toMatchObject([
      { edition: 'standard', orgs: 7, active: 2, used_today: '159000', near: 1, refused_since: 1, measured: 2 },
    ]);
    const counts = { refused_today: 0, would_be_refused_today: 1, would_be_refused_since: 1 };
    expect([json.crowded_orgs, ...json.editions]).toMatchObject([1, { ...counts, would_be_concurrency_since: 1 }]);
    const text = (await bob('usage', '--dc', dc)).out;
    expect(text).toMatch(/SHADOW: not refused today.*standard, paid, legacy kept.*8 +standard +11 +10\n/su);
    expect(text).toContain('Not migrated, with calls today: 1 org.');
    expect(text).toContain('Alerts today: 1 at 80 %, 0 with nothing left or refused.');
    expect(widest(text)).toBeLessThanOrEqual(80);
  });

  test('shows one org, writes its page for its reader only, and knows no other', async () => {
    const page = join(folder, 'page.html');
    const { code, out } = await alice('usage', '1', '--dc', dc, '--page', page);
    expect([code, widest(out)]).toEqual([0, expect.toSatisfy((width: number) => width <= 80)]);
    expect(out).toContain('150,000 credits a day (standard)');
    expect(out).toContain('used today 149,000 credits, 99 %');
    expect(await readFile(page, 'utf8')).toContain('149,000 of 150,000 credits used today');
    expect((await stat(page)).mode & 0o077).toBe(0);
    const legacy = JSON.parse((await alice('usage', '8', '--dc', dc, '--json')).out);
    expect(legacy).toMatchObject({ model: 'legacy', total: '150000', base: null, edition: 'standard', agents: '300' });
    expect((await alice('usage', '404', '--dc', dc)).err).toContain('error [org_not_found]');
    expect((await alice('usage', '1', '--dc', dc, '--page', folder)).err).toContain('error [invalid_argument]');
  });
});

describe('usage propose', () => {
  test('shows what it would propose, needs a reason, and proposes ordinary overrides', async () => {
    const shown = await alice('usage', 'propose', '--dc', dc);
    expect(shown.out).toContain('Nothing was changed.');
    expect(widest(shown.out)).toBeLessThanOrEqual(80);
    expect((await alice('usage', 'propose', '--dc', dc, '--execute')).err).toContain('needs a reason');
    await alice('protect', '5', '--dc', dc, '--reason', 'launch partner');
    const { code, out } = await alice('usage', 'propose', '--dc', dc, '--execute', '--reason', 'usage', '--json');
    const json = JSON.parse(out);
    expect(code).toBe(0);
    expect(json.proposals).toMatchObject([
      { org_id: '3', peak: '400000', proposed_floor: '480000', override: expect.stringMatching(/-o\d+$/u) },
      { org_id: '4', proposed_floor: '240000' },
    ]);
    expect(json.left).toMatchObject([{ org_id: '5', why: 'protected' }]);
    expect(await floorOf(3)).toBe(150_000);
    expect((await alice('approve', json.proposals[0].override)).code).toBe(7);
    expect((await bob('approve', json.proposals[0].override, '--reason', 'agreed')).code).toBe(0);
    expect(await floorOf(3)).toBe(480_000);
    const again = await alice('usage', 'propose', '--dc', dc, '--execute', '--reason', 'usage');
    expect([again.code, again.out]).toEqual([8, expect.stringContaining('an override waits for its approval')]);
  });
});

describe('exception', () => {
  const execute = ['--execute', '--reason', 'a call'] as const;

  test('is added with --execute and a reason only, once for an org, and listed in the words of the org', async () => {
    const add = ['exception', 'add', '6', '--dc', dc, '--text', 'we import\non Mondays\u202e', '--wanted', '200000'];
    expect((await alice(...add)).out).toContain('Nothing was stored.');
    expect((await alice(...add, '--execute')).err).toContain('needs a reason');
    expect((await alice(...add, '--until', '2027-02-30')).err).toContain('error [invalid_instant]');
    expect((await alice('exception', 'add', '404', '--dc', dc, '--text', 'x')).err).toContain('[org_not_found]');
    expect((await alice('exception', 'add', '6', '--dc', dc, '--text', ' ')).err).toContain('[invalid_argument]');
    expect((await alice(...add, '--until', '2027-01-31', ...execute)).out).toContain('It is stored');
    const second = await alice(...add, ...execute);
    expect([second.code, second.err]).toEqual([6, expect.stringContaining('error [exception_open]')]);
    const { out } = await bob('exception', 'list', '--dc', dc);
    expect(out).toContain('1 open, 0 granted');
    expect(out).toContain('wants 200,000 credits a day, until 2027-01-31');
    expect(out).toContain('    we import on Mondays\\u202e\n');
    expect(widest(out)).toBeLessThanOrEqual(80);
    const audit = await fleet.control(`select action, reason, details from credit_rollout_control.audit
      where action ~ 'exception' order by seq`);
    expect(audit).toEqual([
      {
        action: 'exception',
        reason: 'a call',
        details: { orgs: 1, org_hash: expect.stringMatching(/^[0-9a-f]{64}$/u) },
      },
    ]);
  });

  test('is granted when the override that answers it is approved, and open again when that is withdrawn', async () => {
    const answer = ['exception', 'answer', '6', '--dc', dc, '--floor', '200000'];
    expect((await alice(...answer)).out).toContain('Nothing was changed.');
    const propose = async (): Promise<string> => {
      const { code, out } = await alice(...answer, ...execute, '--json');
      expect(code).toBe(0);
      return String(JSON.parse(out).proposal.override_id);
    };
    const states = async (): Promise<unknown> =>
      JSON.parse((await bob('exception', 'list', '--dc', dc, '--all', '--json')).out).exceptions.map(
        (one: Record<string, unknown>) => [one.org_id, one.state, one.override],
      );
    const first = await propose();
    expect((await alice(...answer, ...execute)).err).toContain('error [exception_waits]');
    expect(await states()).toEqual([['6', 'open', first]]);
    await alice('override', '6', '--dc', dc, '--withdraw', '--reason', 'too much');
    expect(await states()).toEqual([['6', 'open', null]]);
    const second = await propose();
    expect((await bob('approve', second, '--reason', 'agreed')).code).toBe(0);
    expect(await states()).toEqual([['6', 'granted', second]]);
    expect(await floorOf(6)).toBe(200_000);
    expect((await alice(...answer, ...execute)).err).toContain('error [exception_unknown]');
  });

  test('is declined with what the org is told, or withdrawn, and needs exactly one answer', async () => {
    const at = ['--dc', dc] as const;
    const answer = ['exception', 'answer', '2', ...at] as const;
    await alice('exception', 'add', '2', ...at, '--text', 'more', ...execute);
    expect((await alice(...answer, '--withdraw', '--decline', 'x')).err).toContain('exactly one');
    expect((await bob(...answer, '--decline', 'use search', ...execute)).out).toContain('It is declined.');
    const page = JSON.parse((await alice('usage', '2', ...at, '--json')).out);
    expect(page.exception).toMatchObject({ state: 'declined', answer: 'use search', text: 'more' });
    await alice('exception', 'add', '2', ...at, '--text', 'more again', ...execute);
    expect((await alice(...answer, '--withdraw', ...execute)).out).toContain('It is withdrawn.');
    expect((await alice('exception', 'list', ...at)).out).toContain('✔');
  });
});

describe('meter enforce', () => {
  const at = ['meter', 'enforce', '--dc', 'DC'];
  const run = (who: As, ...args: readonly string[]): Promise<RanCommand> =>
    who(...at.map((arg) => (arg === 'DC' ? dc : arg)), ...args);
  const execute = ['--execute', '--reason', 'measured'] as const;

  test('switches limits of a running meter from shadow to on and back, for one org or for all', async () => {
    const clock = createHandClock(Date.now());
    const cell = createMeterCell(fleet.cell(0).cell, clock);
    const store = createMemoryMeterStore(() => clock.nowMs);
    let reading: Promise<unknown> = Promise.resolve();
    const readCapacity: typeof cell.readLimits = (ids) => {
      const read = cell.readLimits(ids);
      reading = read;
      return read;
    };
    const { meter } = openMeter(store, { clock, readCapacity, enforce: cell.enforce, zone: 'UTC' });
    const over = async (): Promise<readonly boolean[]> => {
      await clock.move(10_000);
      await reading;
      await clock.move(0);
      const ask = (orgId: string) => meter.acquire({ orgId, kind: 'delete', records: 1_000_000_000 });
      return (await Promise.all([ask('2'), ask('5'), ask('8')])).map(({ allowed }) => allowed);
    };
    expect(await over()).toEqual([true, true, true]);
    expect((await run(alice, '--credits', 'on')).out).toContain('Nothing was changed.');
    expect(await over()).toEqual([true, true, true]);
    expect((await run(alice, '--org', '2', '--credits', 'on', ...execute)).out).toContain('(was shadow)');
    expect(await over()).toEqual([false, true, true]);
    await run(alice, '--credits', 'on', ...execute);
    await run(bob, '--org', '5', '--credits', 'off', ...execute);
    expect(await over()).toEqual([false, true, true]);
    await run(bob, '--org', '5', '--credits', 'inherit', ...execute);
    expect(await over()).toEqual([false, false, true]);
    await run(alice, '--credits', 'shadow', ...execute);
    expect(await over()).toEqual([false, true, true]);
    await meter.close();
    const audit = await fleet.control(`select actor, details from credit_rollout_control.audit
      where action = 'enforce' order by seq limit 2`);
    expect(audit).toMatchObject([
      { details: { credits: 'on', concurrency: 'shadow', org_hash: expect.stringMatching(/^[0-9a-f]{64}$/u) } },
      { details: { credits: 'on', concurrency: 'shadow' } },
    ]);
  });

  test('needs something to change, a reason, and an org that there is', async () => {
    expect((await run(alice, ...execute)).err).toContain('[invalid_argument]');
    expect((await run(alice, '--credits', 'inherit')).err).toContain('[invalid_argument]');
    expect((await run(alice, '--credits', 'on', '--execute')).err).toContain('needs a reason');
    expect((await run(alice, '--org', '404', '--credits', 'on')).err).toContain('[org_not_found]');
  });
});

describe('meter', () => {
  const serve = (listen: string) => alice('meter', '--dc', dc, '--listen', listen);
  const refused = (why: string) => ({
    code: 1,
    err: expect.stringMatching(new RegExp(`\\[listen_refused\\].* ${why}`)),
  });

  test('does not listen in a folder that others may write into, nor beside another one', async () => {
    const shared = join(folder, 'shared');
    await mkdir(shared);
    await chmod(shared, 0o777);
    expect(await serve(`unix:${shared}/a.sock`)).toMatchObject(refused('it is not safe: .*every user'));
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(join(folder, 'b.sock'), resolve));
    expect(await serve(`unix:${folder}/b.sock`)).toMatchObject(refused('another process answers'));
    other.close();
    expect(await serve(`unix:${folder}/nowhere/b.sock`)).toMatchObject(refused('its folder does not exist'));
  });

  test('names a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    expect(await serve(`127.0.0.1:${port}`)).toMatchObject(
      refused(`http://127.0.0.1:${port}: another program uses it`),
    );
    other.close();
  });
});
