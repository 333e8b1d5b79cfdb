// The main flows on real Postgres, in this process: what each command prints, returns and writes.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { showCount } from '../../../src/cli/terminal/numbers.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { createFleet, type Fleet, slowDown, speedUp } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { captureIo, type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let config = '';
const run = (...args: readonly string[]): Promise<RanCommand> => runCommand(...args, '--config', config);
const idOf = (n: number): string => fleet.cell(n).dataCenter.id;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-cli-'));
  fleet = await createFleet({ cells: [{}, {}], orgs: 600, queue: 'postgres' });
  config = join(folder, 'rollout.config.yaml');
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  const card = resolve('src/sample/rate-card.yaml');
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${card}\nrollout: { batchSize: 100, lanes: 1 }\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
});
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** Every row of every table of ours. */
async function readEverything(): Promise<string> {
  const sources = [
    ...fleet.cells.map(({ sql }) => ({ sql, schema: 'credit_rollout' })),
    { sql: fleet.control, schema: 'credit_rollout_control' },
  ];
  const all = await Promise.all(
    sources.map(async ({ sql, schema }) => {
      const tables = await sql(`select tablename from pg_tables where schemaname = $1 order by 1`, [schema]);
      return Promise.all(
        tables.map(({ tablename }) =>
          sql(
            `select coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as rows from ${schema}.${tablename} t`,
          ),
        ),
      );
    }),
  );
  return JSON.stringify(all);
}

/** `up` beside a test, stopped as by Ctrl-C. */
function startUp(): { stop: () => Promise<number>; output: () => string } {
  const io = captureIo();
  const ended = runCli(['up', '--config', config], io);
  return {
    output: io.output,
    stop: () => {
      io.interrupt('SIGINT');
      return ended;
    },
  };
}

const readPlanId = async (): Promise<string> => (await readStatus(fleet.engine)).dataCenters[0]?.planId ?? '';

/** What is under way is joined, however it was begun: it is held, as for the first who waited. */
async function expectJoined(planId: string): Promise<void> {
  const execute = ['--execute', '--wait'];
  for (const args of [
    ['wait', '--dc', idOf(0)],
    ['apply', '--plan', planId, ...execute],
    ['apply', '--dc', idOf(0), ...execute],
  ]) {
    const { code, out, err } = await run(...args);
    expect([args, code, err]).toEqual([args, 4, '']);
    expect(out).toContain('an operator paused it');
  }
  expect(await run('apply', '--plan', planId, '--execute')).toMatchObject({
    code: 6,
    err: expect.stringContaining(`wait --dc ${idOf(0)}`),
  });
  // nothing was ever requested there, or the request was withdrawn
  expect(await run('wait', '--dc', idOf(1))).toMatchObject({
    code: 8,
    out: expect.stringContaining('nothing to wait'),
  });
  expect((await run('wait', '--all')).code).toBe(4);
}

describe('the command line', () => {
  test('init is repeatable', async () => {
    expect((await run('init')).code).toBe(0);
    const again = await run('init', '--json');
    expect(again.origin).toBeUndefined();
    expect(JSON.parse(again.out).control_migrations).toEqual([]);
  });

  test('verify says that nothing was rolled out yet, with an exit code of its own', async () => {
    const { code, out, origin } = await run('verify', '--all');
    expect(origin?.startsWith(`${config}: control `)).toBe(true);
    for (const { dataCenter, database } of fleet.cells)
      expect(origin).toMatch(new RegExp(`, ${dataCenter.id} [^ @]+/${database}(,|$)`, 'u'));
    expect([code, out]).toEqual([8, expect.stringContaining('nothing to verify: nothing was rolled out there')]);
    const document = JSON.parse((await run('verify', '--dc', idOf(0), '--json')).out);
    expect(document.data_centers[0]).toMatchObject({ nothing_to_verify: true, checked: 0, mismatched: [] });
  });

  test('plan counts, and returns 2 with --exit-code while something is pending', async () => {
    const { code, out } = await run('plan', '--dc', idOf(0), '--exit-code', '--json');
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({ data_center: idOf(0), orgs: 600, first: 597, pending: true });
  });

  test('apply without --execute changes nothing and names the command that does', async () => {
    const before = await readEverything();
    const { code, out } = await run('apply', '--all');
    expect(code).toBe(0);
    expect(out).toContain('Nothing was changed. To do it: ');
    expect(out.split('\n')[0]).toBe(`Order: ${idOf(0)}, ${idOf(1)}`);
    expect(out).toContain('apply --all --execute');
    expect(await readEverything()).toBe(before);
  });

  test('apply --execute without processes shows what is missing', async () => {
    const { code, out } = await run('apply', '--dc', idOf(1), '--execute', '--reason', 'first');
    expect(code).toBe(0);
    expect(out).toContain('no scheduler runs, and no worker serves');
    expect((await run('apply', '--dc', idOf(1), '--execute')).code).toBe(6);
    expect((await run('abort', '--dc', idOf(1))).out).toContain('withdrawn');
  });

  test('pause is acknowledged in the middle, held returns 4, and it goes on after resume', async () => {
    await slowDown(fleet.cell(0), 300);
    const up = startUp();
    expect((await run('apply', '--dc', idOf(0), '--execute')).code).toBe(0);
    await fleet.waitForStages(([first]) => first === 'migrating');
    const paused = await run('pause', '--dc', idOf(0), '--json');
    expect(JSON.parse(paused.out)).toMatchObject({ state: 'paused', quiet: true, holders: [] });
    expect((await run('status')).out).toContain(`resume --dc ${idOf(0)}`);
    await expectJoined(await readPlanId());
    const held = await run('apply', '--all', '--execute', '--wait');
    expect(held.code).toBe(4);
    expect(held.out).toContain('an operator paused it');
    await speedUp(fleet.cell(0));
    expect((await run('resume', '--dc', idOf(0))).code).toBe(0);
    expect(await up.stop()).toBe(0);
  });

  test('apply --wait follows to the end and returns 3 for orgs left out', async () => {
    const up = startUp();
    await waitFor('processes', async () => up.output().includes('scheduler: running'));
    const { code, out } = await run('apply', '--all', '--execute', '--wait');
    expect(code).toBe(3);
    expect(out).toContain('100 %');
    const shares = [...out.matchAll(/(?<![-+\d.])([\d.]+) %/gu)].map(([, share]) => Number(share));
    expect(Math.max(...shares)).toBeLessThanOrEqual(100);
    expect(await up.stop()).toBe(0);
    expect(await fleet.stages()).toEqual(['done', 'done']);
    expect((await run('wait', '--dc', idOf(0))).code).toBe(3);
  });

  test('a second apply writes nothing and reports it', async () => {
    const before = await readEverything();
    const { code, out } = await run('apply', '--all', '--execute', '--wait');
    expect(code).toBe(0);
    expect(out).toContain('nothing to change');
    expect(await readEverything()).toBe(before);
  });

  test('verify passes, and returns 5 once an allotment breaks the rule', async () => {
    expect((await run('verify', '--all')).code).toBe(0);
    // one message, one transaction: the triggers are off for nothing else
    await fleet
      .cell(0)
      .sql(`set local session_replication_role = replica; update credit_rollout.allotments set base_credits = base_credits + 1,
      total_credits = total_credits + 1 where org_id = 1`);
    const { code, out } = await run('verify', '--dc', idOf(0), '--json');
    expect(code).toBe(5);
    const [{ mismatches, mismatched }] = JSON.parse(out).data_centers;
    const { stored_total: stored, rule_total: rule } = mismatched[0];
    expect([mismatches, mismatched.length, BigInt(stored)]).toEqual([1, 1, BigInt(rule) + 1n]);
    const { out: text, err } = await run('verify', '--dc', idOf(0));
    expect(text).toContain(
      `org 1: ${showCount(stored)} credits a day are stored, but the rule gives ${showCount(rule)}`,
    );
    expect(err).toBe('');
  });

  test('status, quarantine, why and audit read what was done', async () => {
    const status = JSON.parse((await run('status', '--json')).out);
    expect(status.data_centers[0]).toMatchObject({ data_center: idOf(0), stage: 'done', progress: { quarantined: 3 } });
    expect((await run('status', '--line')).out.split('\n')).toHaveLength(3);
    const quarantine = JSON.parse((await run('quarantine', '--dc', idOf(0), '--json')).out);
    expect(quarantine.reasons).toEqual([{ reason: 'unknown_edition', orgs: 3 }]);
    expect(quarantine.orgs).toHaveLength(3);
    expect((await run('why', '2', '--dc', idOf(0))).out).toContain('recompute now');
    const audit = JSON.parse((await run('audit', '--json', '--limit', '500')).out).audit;
    expect(audit.some((row: { reason: string }) => row.reason === 'first')).toBe(true);
    const count = async (...filter: string[]): Promise<number> =>
      JSON.parse((await run('audit', '--json', '--limit', '500', ...filter)).out).audit.length;
    const { actor, action, at } = audit.find((row: { reason: string }) => row.reason === 'first');
    const of = (fits: (row: typeof actor) => boolean): number => audit.filter(fits).length;
    expect(await count('--by', actor)).toBe(of((row) => row.actor === actor));
    expect(await count('--action', action)).toBe(of((row) => row.action === action));
    expect(await count('--by', 'nobody of that name')).toBe(0);
    expect(await count('--action', 'unfreeze')).toBe(0);
    const mistyped = await run('audit', '--action', 'aprove');
    expect(mistyped).toMatchObject({ code: 1, err: expect.stringMatching(/no action aprove.*--action approve/su) });
    for (const flag of ['--by', '--action']) expect((await run('audit', flag, '')).err).toContain('must not be empty');
    const second = at.slice(0, 19);
    expect(await count('--from', second)).toBe(of((row) => row.at.slice(0, 19) >= second));
    expect(await count('--to', second)).toBe(of((row) => row.at.slice(0, 19) < second));
    expect(await run('audit', '--from', '2026-02-02', '--to', '2026-02-01')).toMatchObject({
      code: 1,
      err: expect.stringContaining('is empty'),
    });
    expect((await run('audit', '--action', action, '--limit', '1')).out).not.toContain('undefined');
    const proof = JSON.parse((await run('audit', '--verify', '--json')).out);
    expect(proof).toMatchObject({ intact: true, complete: true, lost: [], deleted: '0', entries: proof.link });
    const head = `${proof.link}:${proof.hash}`;
    expect(await run('audit', '--verify', '--head', head)).toMatchObject({
      code: 0,
      out: expect.stringContaining(head),
    });
    const other = `${proof.link}:${'0'.repeat(64)}`;
    expect(await run('audit', '--verify', '--head', other)).toMatchObject({
      code: 5,
      out: expect.stringContaining('is not the one whose head was kept'),
    });
    const away = join(folder, 'away.yaml');
    await writeFile(away, (await readFile(config, 'utf8')).replace(fleet.cell(1).url, 'postgres://127.0.0.1:1/gone'));
    const unproven = await runCommand('audit', '--verify', '--config', away);
    expect(unproven).toMatchObject({ code: 4, out: expect.stringContaining(`cannot be read: ${idOf(1)}`) });
    expect(unproven.out).not.toContain('✔');
    const told = await runCommand('audit', '--verify', '--json', '--config', away);
    expect(told.code).toBe(4);
    expect(JSON.parse(told.out)).toMatchObject({ intact: null, compared: [idOf(0)], not_compared: [idOf(1)] });
    expect((await runCommand('audit', '--verify', '--head', other, '--config', away)).code).toBe(5);
    for (const flags of [
      ['--verify', '--csv'],
      ['--verify', '--dc', idOf(0)],
      ['--verify', '--accept-cut', '--dc', 'nowhere'],
      ['--head', head],
      ['--verify', '--head', '1:2'],
      ['--accept-cut'],
      ['--execute'],
      ['--verify', '--execute'],
      // without a reason
      ['--verify', '--accept-cut', '--execute'],
      // nothing is lost
      ['--verify', '--accept-cut'],
      ['--verify', '--accept-cut', '--execute', '--reason', 'x'],
    ])
      expect((await run('audit', ...flags)).code, flags.join(' ')).toBe(1);
  });

  test('commands that have no rollout to apply to are conflicts', async () => {
    for (const verb of ['resume', 'abort', 'retry']) expect((await run(verb, '--dc', idOf(0))).code, verb).toBe(6);
  });

  test('what is done can be paused: its nights and its change feed', async () => {
    expect((await run('pause', '--dc', idOf(0))).code).toBe(0);
    expect(await fleet.cell(0).sql('select single_writes from credit_rollout.fence')).toEqual([
      { single_writes: false },
    ]);
    expect((await run('resume', '--dc', idOf(0))).code).toBe(0);
  });

  test('a pause has an end that status shows, and a command names what it saw', async () => {
    const dc = ['--dc', idOf(0)];
    const paused = await run('pause', ...dc, '--for', 'PT2H', '--reason', 'a deploy', '--json');
    const { revision, until } = JSON.parse(paused.out);
    expect(Date.parse(until) - Date.now()).toBeGreaterThan(7_100_000);
    const shown = await run('status');
    expect(shown.out.replaceAll(/\s+/gu, ' ')).toMatch(
      /paused it, since .* \(a deploy\), until .*; it goes on by itself/u,
    );
    const [first] = JSON.parse((await run('status', '--json')).out).data_centers;
    expect(first).toMatchObject({ revision, pause: { until, reason: 'a deploy' } });
    const refused = await run('resume', ...dc, '--revision', String(revision - 1));
    expect(refused).toMatchObject({ code: 6, err: expect.stringContaining(`revision ${revision} now`) });
    expect((await run('pause', ...dc, '--for', 'PT2H', '--until', '2099-01-01')).err).toContain('invalid_argument');
    expect((await run('resume', ...dc, '--revision', String(revision))).code).toBe(0);
  });

  test('detach releases the table and init attaches again', async () => {
    expect((await run('detach', '--dc', idOf(1))).code).toBe(0);
    await fleet.cell(1).sql('alter table public.orgs alter column agents type integer');
    expect((await run('init', '--dc', idOf(1))).code).toBe(0);
  });
});
