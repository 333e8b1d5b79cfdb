// The policy by its command lines: shown, proposed, approved by a second person, withdrawn; and a configuration that
// differs is refused.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
const ALICE = 0;
const BOB = 1;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-settings-'));
  fleet = await createFleet({
    cells: [{}, {}],
    orgs: 20,
    queue: 'postgres',
    rollout: '{ batchSize: 100, bake: PT1H }',
  });
  crowd = await createPeople(fleet, 'alice', 'bob');
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** As a person, with these lines in the configuration. */
async function run(person: number | 'owner', sections: string, ...args: readonly string[]): Promise<RanCommand> {
  const path = join(folder, `${person}.yaml`);
  const control = person === 'owner' ? fleet.controlUrl : crowd.people[person]?.controlUrl;
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  const card = resolve('src/sample/rate-card.yaml');
  await writeFile(
    path,
    `controlDatabase: "${control}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${card}\n${sections}\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  return runCommand(...args, '--config', path);
}
const as = (person: number, ...args: readonly string[]): Promise<RanCommand> => run(person, '', ...args);
const readSetting = async (name: string): Promise<unknown> =>
  (await fleet.control('select value from credit_rollout_control.policy where name = $1', [name]))[0]?.value;
const actions = async (): Promise<readonly unknown[]> =>
  (
    await fleet.control(
      `select actor || ' ' || action as what from credit_rollout_control.audit where action like '%_setting' order by seq`,
    )
  ).map(({ what }) => what);

describe('settings', () => {
  test('shows every setting, and that init set it', async () => {
    const { code, out } = await as(ALICE, 'settings');
    expect(code).toBe(0);
    expect(out).toMatch(/rollout\.bake +PT1H .*init by /u);
    const { settings, open } = JSON.parse((await as(ALICE, 'settings', '--json')).out);
    expect(settings).toHaveLength(19 + 1 + 2 * 2);
    expect(settings[0]).toMatchObject({ name: 'rollout.notBefore', value: null, change: null });
    expect(open).toEqual([]);
  });

  test('change by a proposal and the approval of a second person, and by nothing less', async () => {
    const name = crowd.people.map((person) => person.name);
    const dry = await as(ALICE, 'settings', 'propose', 'rollout.bake', 'PT12H', '--exit-code');
    expect(dry).toMatchObject({ code: 2, out: expect.stringContaining('rollout.bake from PT1H to PT12H') });
    expect(dry.out).toContain('Nothing was changed');
    const without = await as(ALICE, 'settings', 'propose', 'rollout.bake', 'PT12H', '--execute');
    expect(without).toMatchObject({ code: 1, err: expect.stringContaining('--reason') });
    const proposed = await as(
      ALICE,
      'settings',
      'propose',
      'rollout.bake',
      'PT12H',
      '--execute',
      '--reason',
      'nights',
      '--json',
    );
    const [change] = JSON.parse(proposed.out).changes;
    expect(change).toMatchObject({ state: 'proposed', author: name[ALICE], approver: null, to_value: 'PT12H' });
    expect(await readSetting('rollout.bake')).toBe('PT1H');
    expect((await as(ALICE, 'settings')).out).toContain(
      `${change.change_id}: rollout.bake from PT1H to PT12H, proposed`,
    );
    expect(await as(BOB, 'settings', 'propose', 'rollout.bake', 'PT2H', '--execute', '--reason', 'x')).toMatchObject({
      code: 6,
      err: expect.stringContaining(`approve ${change.change_id}`),
    });
    expect(await as(ALICE, 'approve', change.change_id)).toMatchObject({
      code: 7,
      err: expect.stringContaining('same_person'),
    });
    expect(await as(BOB, 'approve', change.change_id, '--reason', 'seen')).toMatchObject({
      code: 0,
      out: expect.stringContaining(`applied; proposed by ${name[ALICE]}, approved by ${name[BOB]}`),
    });
    expect(await readSetting('rollout.bake')).toBe('PT12H');
    expect(await as(BOB, 'approve', change.change_id)).toMatchObject({
      code: 6,
      err: expect.stringContaining('change_decided'),
    });
    expect(await actions()).toEqual([`${name[ALICE]} propose_setting`, `${name[BOB]} change_setting`]);
    expect((await as(ALICE, 'settings')).out).toMatch(
      new RegExp(`rollout\\.bake +PT12H .*${change.change_id}, proposed by`, 'u'),
    );
  });

  test('are proposed from a configuration that differs, one proposal each, and withdrawn', async () => {
    const sections = 'rollout: { bake: PT12H, approval: required }\nreconcile: { maxLapsed: 5 }';
    const args = ['settings', 'propose', '--from-config'] as const;
    const dry = await run(ALICE, sections, ...args);
    expect(dry.out).toContain('rollout.approval from auto to required');
    expect(dry.out).toContain('reconcile.maxLapsed from 1 %, at least 10 to 5');
    expect(dry.out).not.toContain('rollout.bake');
    const { out } = await run(ALICE, sections, ...args, '--execute', '--reason', 'a stricter year', '--json');
    const ids: readonly string[] = JSON.parse(out).changes.map(({ change_id }: { change_id: string }) => change_id);
    expect(ids).toHaveLength(2);
    for (const id of ids) expect((await as(ALICE, 'settings', 'withdraw', id, '--reason', 'not yet')).code).toBe(0);
    const shown = await as(BOB, 'settings', 'show');
    expect(shown.out).toMatch(/withdrawn by \S*alice\S*, 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC: not yet/u);
    expect(await as(BOB, 'approve', ids[0] ?? '')).toMatchObject({ code: 6 });
    expect(await readSetting('rollout.approval')).toBe('auto');
  });

  test.each([
    [['rollout.bak', 'PT1H'], 'setting_unknown'],
    [['rollout.bake', 'soon'], 'invalid_duration'],
    [['rollout.bake'], 'invalid_argument'],
    [['--from-config', 'rollout.bake'], 'invalid_argument'],
    [['rollout.bake', 'PT12H'], 'setting_refused'],
  ])('cannot be proposed as %j', async (args, code) => {
    const { code: exit, err } = await as(ALICE, 'settings', 'propose', ...args);
    expect(exit).toBeGreaterThan(0);
    expect(err).toContain(code);
  });

  test('that do not exist are not approved or withdrawn', async () => {
    expect((await as(BOB, 'approve', 's999')).err).toContain('change_unknown');
    expect((await as(BOB, 'settings', 'withdraw', 's999', '--reason', 'x')).err).toContain('change_unknown');
    expect((await as(BOB, 'settings', 'withdraw', 'three', '--reason', 'x')).err).toContain('invalid_argument');
  });
});

describe('a configuration that differs from the policy', () => {
  const LOOSE = 'rollout: { approval: required, bake: PT0S }';
  const idOf = (n: number): string => fleet.cell(n).dataCenter.id;

  test.each([
    ['plan', () => ['plan', '--dc', idOf(0)]],
    ['apply', () => ['apply', '--dc', idOf(0), '--execute']],
    ['reconcile', () => ['reconcile', '--dc', idOf(0)]],
  ])('is refused by %s with both values', async (_verb, args) => {
    const { code, err } = await run(ALICE, LOOSE, ...args());
    expect(code).toBe(1);
    expect(err).toContain('policy_differs');
    expect(err).toContain('rollout.bake is PT0S in the configuration, but PT12H in the policy.');
    expect(err).toContain('rollout.approval is required in the configuration, but auto in the policy.');
    expect(err).toContain('settings propose --from-config');
  });

  test('is refused by init too, which then changes nothing', async () => {
    const { code, err } = await run('owner', LOOSE, 'init');
    expect({ code, refused: err.includes('policy_differs') }).toEqual({ code: 1, refused: true });
    expect(await readSetting('rollout.bake')).toBe('PT12H');
  });

  test('is a finding of doctor, and a warning of what only shows or stops', async () => {
    const doctor = await run(ALICE, LOOSE, 'doctor', '--json');
    const found = JSON.parse(doctor.out).findings.filter(({ check }: { check: string }) => check === 'policy');
    expect(found).toMatchObject([
      { level: 'error', code: 'policy_differs', found: expect.stringContaining('rollout.bake') },
      { level: 'error', code: 'policy_differs' },
    ]);
    const status = await run(ALICE, LOOSE, 'status');
    expect(status).toMatchObject({ code: 0, err: expect.stringContaining('The policy applies.') });
  });

  test('that leaves a key out means what the policy has', async () => {
    const { code, out } = await as(ALICE, 'calendar', '--json');
    expect(code).toBe(0);
    expect(out).not.toBe('');
    expect((await as(ALICE, 'plan', '--dc', idOf(0))).code).toBe(0);
  });
});
