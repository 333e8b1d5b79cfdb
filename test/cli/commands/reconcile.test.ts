// `reconcile` on real Postgres: the dry run, asking for one, what is rejected, and the history.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { parseCsv } from '../../support/parse-csv.js';
import { setPolicy } from '../../support/policy.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let dc = '';
let idle = '';
const run = (...args: readonly string[]): Promise<RanCommand> =>
  runCommand('reconcile', ...args, '--config', join(folder, 'rollout.config.yaml'));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-reconcile-'));
  fleet = await createFleet({ cells: [{ zone: 'Asia/Kolkata' }, {}], orgs: 200 });
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  await writeFile(
    join(folder, 'rollout.config.yaml'),
    `controlDatabase: "${fleet.controlUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\nreconcile: { maxLapsed: 2 }\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  [dc, idle] = fleet.cells.map(({ dataCenter }) => dataCenter.id) as [string, string];
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
  await setPolicy(fleet, { 'reconcile.maxLapsed': 2 });
  await fleet.cell(0).sql('update public.orgs set additional_credits = 123456 where org_id between 21 and 23');
  await fleet.cell(0).sql('update public.orgs set paid = false where org_id in (31, 32, 33)');
}, 60_000);
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

describe('reconcile', () => {
  test('shows what would be healed and proposed, with the orgs, and changes nothing', async () => {
    const { code, out } = await run('--dc', dc);
    expect(code).toBe(0);
    expect(out).toMatch(/^≠ \S+: 6 orgs differ, 3 of them would be healed; 200 orgs read/mu);
    expect(out).toContain('3 orgs would lapse, above 2: they are all proposed, and none is written');
    expect(out).toMatch(/^ {2}lapse +fall +3 +proposed$/mu);
    expect(out).toMatch(/^ {2}purchase +raise +3 +to be healed$/mu);
    expect(out).toMatch(/^ {2}21 +purchase +raise /mu);
    expect(out).toMatch(new RegExp(`To do it: .*reconcile --dc ${dc} --execute$`, 'mu'));
    expect(await fleet.cell(0).sql('select count(*)::int as n from credit_rollout.drift')).toEqual([{ n: 0 }]);
  });

  test('gives the same as a document', async () => {
    const { out } = await run('--dc', dc, '--limit', '1', '--json');
    const document = JSON.parse(out);
    expect(document).toMatchObject({
      executed: false,
      data_center: dc,
      orgs: 200,
      found: 6,
      more: true,
      undecidable: 1,
    });
    expect(document.counts).toContainEqual({
      cause: 'lapse',
      movement: 'fall',
      outcome: 'proposed',
      orgs: 3,
      proposals: 0,
    });
    expect(document.listed).toHaveLength(1);
    expect(document.listed[0].before_total).toEqual(expect.anything());
  });

  test.each([
    ['no data center', [], 'invalid_argument'],
    ['--csv without --history', ['--dc', 'x', '--csv'], 'invalid_argument'],
    ['--history with --execute', ['--history', '--execute'], 'invalid_argument'],
    ['--withdraw with --execute', ['--dc', 'x', '--withdraw', '--execute'], 'invalid_argument'],
    ['an unknown data center', ['--dc', 'nowhere'], 'unknown_data_center'],
  ])('rejects %s', async (_what, args, code) => {
    const ran = await run(...args);
    expect(ran.code).toBe(1);
    expect(ran.err).toContain(`[${code}]`);
  });

  test('rejects a data center that is not done, and accepted falls without a reason', async () => {
    expect((await run('--dc', idle, '--execute')).err).toMatch(/\[wrong_stage\].*is not done \(stage pending\)/u);
    expect((await run('--dc', idle)).err).toContain('[wrong_stage]');
    expect((await run('--dc', dc, '--execute', '--accept-falls')).err).toContain('[invalid_argument]');
    expect((await run('--dc', dc, '--execute', '--accept-falls', '--reason', ' ')).err).toContain('[invalid_argument]');
    expect(await fleet.control('select * from credit_rollout_control.reconcile_requests')).toEqual([]);
  });

  test('asks once, records who and why, and the history shows the outcome', async () => {
    const asked = await run('--dc', dc, '--execute');
    expect(asked.code).toBe(0);
    expect(asked.out).toContain(`${dc}: a reconciliation is requested`);
    expect(asked.out).toMatch(
      new RegExp(`^It waits: no scheduler runs, and no worker serves ${dc}\\. Start them: .* up$`, 'mu'),
    );
    const again = await run('--dc', dc, '--execute');
    expect(again).toMatchObject({ code: 6, err: expect.stringContaining('[reconcile_asked]') });
    await fleet.drive();
    await run('--dc', dc, '--execute', '--accept-falls', '--reason', 'trials ended', '--json').then(({ out }) =>
      expect(JSON.parse(out)).toMatchObject({ falls_id: `${dc}-f2`, state: 'approved', alone: true, run_id: null }),
    );
    expect(
      await fleet.control(
        `select action, reason, details - 'author' as details from credit_rollout_control.audit
          where action in ('ask_reconcile', 'propose_falls', 'accept_falls') order by seq`,
      ),
    ).toEqual([
      { action: 'ask_reconcile', reason: null, details: { accept_falls: false } },
      { action: 'propose_falls', reason: 'trials ended', details: { falls: `${dc}-f2` } },
      { action: 'accept_falls', reason: 'trials ended', details: { falls: `${dc}-f2`, alone: true } },
    ]);
    await fleet.drive();
    const { out } = await run('--history', '--json', '--dc', dc);
    const [newest, oldest] = JSON.parse(out).nights;
    expect(newest).toMatchObject({
      kind: 'reconcile',
      state: 'done',
      totals: { found: 3, healed: 3, falls: 3 },
      trend: -3,
    });
    expect(newest.requested_by).toEqual(expect.any(String));
    expect(oldest).toMatchObject({
      totals: { found: 6, healed: 3, proposed: 3, causes: { lapse: 3, purchase: 3 } },
      trend: null,
    });
  });

  test('has a second person approve falls where people have logins, and shows what waits', async () => {
    await fleet.control('update credit_rollout_control.rollout set embedded = false');
    const other = (command: string, ...args: readonly string[]): Promise<RanCommand> =>
      runCommand(command, ...args, '--config', join(folder, 'rollout.config.yaml'));
    const accept = ['--dc', dc, '--execute', '--accept-falls', '--reason', 'trials ended'];
    expect((await run(...accept)).out).toMatch(
      new RegExp(`^✔ ${dc}-f3: falls of ${dc} .* proposed; proposed by .*: trials ended\n.* approve ${dc}-f3$`, 'mu'),
    );
    expect(await run(...accept)).toMatchObject({ code: 6, err: expect.stringContaining('[falls_open]') });
    expect((await other('approve', `${dc}-f3`)).err).toContain('[same_person]');
    expect((await other('approve', `${dc}-f99`)).err).toContain('[falls_unknown]');
    expect((await other('status')).out).toMatch(
      /falls beyond the limits of a nightly run: \S+-f3 of \S+ waits for a second/u,
    );
    expect(JSON.parse((await other('status', '--json')).out).data_centers[0].falls).toMatchObject({
      falls_id: `${dc}-f3`,
      state: 'proposed',
    });
    expect((await run('--dc', dc, '--withdraw')).err).toContain('[invalid_argument]');
    expect((await run('--dc', dc, '--withdraw', '--reason', 'a mistake')).out).toContain('withdrawn');
    expect((await run('--dc', dc, '--withdraw', '--reason', 'again')).err).toContain('[falls_unknown]');
    expect((await other('approve', `${dc}-f3`)).err).toContain('[falls_decided]');
    await fleet.control('update credit_rollout_control.rollout set embedded = true');
  });

  test('shows the history as a table and as CSV', async () => {
    const shown = (await run('--history')).out;
    expect(shown).toMatch(/^DATA CENTER +NIGHT +STATE +FOUND +TREND +HEALED +PROPOSED +CAUSES$/mu);
    expect(shown).toMatch(/, requested +done +3 +-3 +3 +0 +lapse 3$/mu);
    const [head = [], newest = []] = parseCsv((await run('--history', '--csv')).out);
    expect(new Set(head).size).toBe(head.length);
    const cell = (name: string): string | null | undefined => newest[head.indexOf(name)];
    expect([
      cell('data_center'),
      cell('found'),
      cell('cause_lapse'),
      cell('trend'),
      cell('cause_missed_sign_up'),
    ]).toEqual([dc, '3', '3', '-3', '0']);
  });
});
