// Hostile ids, editions, reasons and names of people through every command, on real Postgres: as text, in colours, and
// as a document that is exact.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { COMMAND_NAMES, nameCommand } from '../../support/command-names.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { parseCsv } from '../../support/parse-csv.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { captureIo, type RanCommand, runCommand } from '../captured-io.js';
import { expectPrintable, expectPrintableColours, FORGED, hostileText } from './texts.js';

const ORGS = 24;
const AUTHOR = `eve\n${FORGED}\u202e`;
const REASON = `because\n${FORGED} \u001b[35m\u202e\u200b=1+1`;
/** As long as a text of a product may be; only one that can be compressed fits into an index. */
const LONG = '長い'.repeat(333);
/** What a shell would run. */
const SHELL = 'x;exit 9;#';
const ids = [
  // at even places: with an edition of the card
  ...new Set([
    LONG,
    'in',
    `a\n${FORGED}`,
    'x',
    `b\n${FORGED}`,
    ...fc.sample(hostileText, { numRuns: ORGS, seed: 11 }),
    '-1',
    '=1',
    ';=1',
    SHELL,
  ]),
];
const editions = fc.sample(hostileText, { numRuns: ORGS, seed: 12 });

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
let dc = '';
const configs: string[] = [];
const ranNames = new Set<string>();
const as = (person: number, args: readonly string[]): Promise<RanCommand> => {
  ranNames.add(nameCommand(args));
  return runCommand(...args, '--config', configs[person] ?? '');
};

/** Runs it as the first person, and checks what it prints. */
async function run(...args: readonly string[]): Promise<RanCommand> {
  const ran = await as(0, args);
  expectPrintable(ran.out + ran.err);
  if (!args.includes('--json')) expect(ran.out + ran.err).not.toMatch(/.{4000}/u);
  return ran;
}

/** The same on a terminal with colours, and as a document, which is returned. */
async function read(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const io = captureIo({ isTerminal: true });
  await runCli([...args, '--config', configs[0] ?? ''], io);
  expectPrintableColours(io.output() + io.errors());
  const { out } = await run(...args, '--json');
  return JSON.parse(out);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-hostile-'));
  // an edition of the card, an unknown one, or none of those that are sold
  const orgs = ids.map((id, at) => ({
    org_id: id,
    edition: at % 2 === 0 ? 'standard' : at === 1 ? LONG : (editions[at % editions.length] ?? 'none'),
  }));
  fleet = await createFleet({ cells: [{ idType: 'text', orgs }], queue: 'postgres' });
  crowd = await createPeople(fleet, AUTHOR, `mallory\r${FORGED}`);
  dc = fleet.cell(0).dataCenter.id;
  const { url, dataCenter } = fleet.cell(0);
  for (const [at, { controlUrl }] of crowd.people.entries()) {
    const path = join(folder, `${at}.yaml`);
    await writeFile(
      path,
      `controlDatabase: "${controlUrl}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\n`,
    );
    configs.push(path);
  }
}, 60_000);
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

const listOf = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value : expect.unreachable('not a list');

describe('hostile texts', () => {
  test('are printed safely by a plan, its files and its approval, and are exact in its document', async () => {
    const out = join(folder, 'report');
    const document = await read('plan', '--dc', dc, '--out', out);
    expect(document).toMatchObject({ orgs: ids.length, author: crowd.people[0]?.name });
    expectPrintable(await readFile(join(out, 'report.html'), 'utf8'));
    const [titles = [], ...rows] = parseCsv(await readFile(join(out, 'orgs.csv'), 'utf8'));
    expect(titles[0]).toBe('org_id');
    expect(rows).toHaveLength(ids.length);
    const planId = String(document.plan_id);
    const approved = await as(1, ['approve', planId, '--reason', REASON]);
    expectPrintable(approved.out + approved.err);
    expect(approved.err).toBe('');
    await read('plan', '--dc', dc);
    await read('plans');
    await read('plans', 'diff', `${dc}-1`, `${dc}-2`);
    await read('plans', 'show', planId, '--stale', '--out', join(folder, 'shown'));
    await read('apply', '--plan', planId);
    expect((await run('apply', '--plan', planId, '--execute', '--reason', REASON)).code).toBe(0);
    await read('status');
    await read('status', '--line');
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('are printed safely for every org, and are exact in its document', async () => {
    for (const id of [LONG, ...ids.filter((one) => !one.startsWith('-')).slice(-9)])
      expect(await read('why', id, '--dc', dc)).toMatchObject({ org_id: id });
    const quarantined = listOf((await read('quarantine', '--dc', dc)).orgs).map(({ org_id }) => org_id);
    expect(quarantined.toSorted()).toEqual(ids.filter((_, at) => at % 2 === 1).toSorted());
  });

  test('are printed safely by what two people decide', async () => {
    const id = ids.find((one) => one.includes(FORGED)) ?? '';
    await run('protect', id, '--dc', dc, '--reason', REASON);
    expect(await read('protect', id, '--dc', dc)).toMatchObject({ org_id: id });
    const proposed = await run('override', ids[0] ?? '', '--dc', dc, '--floor', '900000', '--reason', REASON);
    expect(proposed.err).toBe('');
    const name = /\S+-o\d+/u.exec(proposed.out)?.[0] ?? '';
    const approved = await as(1, ['approve', name, '--reason', REASON]);
    expectPrintable(approved.out + approved.err);
    expect(approved.out).toContain('It is applied and verified.');
    const at = ['--dc', dc, '--execute', '--reason', REASON];
    const asked = await run('exception', 'add', SHELL, '--text', REASON, ...at);
    expect(asked.out).toContain(`exception answer '${SHELL}' --dc ${dc}`);
    await read('exception', 'list', '--dc', dc);
    expect((await run('exception', 'answer', SHELL, '--decline', REASON, ...at)).err).toBe('');
    await read('usage', SHELL, '--dc', dc);
    await read('cutover', 'show');
    await run('cutover', 'postpone', '--dc', dc, '--to', '2199-01-01', '--reason', REASON);
    await read('cutover', 'show');
    await run('cutover', 'postpone', '--dc', dc, '--withdraw', '--reason', REASON);
  });

  test('are printed safely by what rests on numbers of an org', async () => {
    const { sql } = fleet.cell(0);
    const id = ids.findLast((one, at) => one.includes(FORGED) && at % 2 === 0) ?? expect.unreachable('no such id');
    const at = ['--dc', dc];
    await sql(
      `insert into credit_rollout.usage_days (org_id, day, model, calls, credits, calls_given_back, credits_given_back,
         refused_by_credits, refused_by_concurrency, peak_in_flight, kinds)
       select a.org_id, (now() at time zone c.zone)::date - 1, 'credits', 1, a.total_credits + 1000, 0, 0, 0, 0, 0, '{}'
       from credit_rollout.allotments a cross join credit_rollout.cell c where a.org_id = $1`,
      [id],
    );
    expect(listOf((await read('usage', 'propose', ...at)).proposals).map(({ org_id }) => org_id)).toEqual([id]);
    await sql(
      `update credit_rollout.allotments set variable_credits = variable_credits + 1, total_credits = total_credits + 1
       where org_id = $1`,
      [id],
    );
    expect(JSON.stringify(await read('repair', ...at))).toContain(JSON.stringify(id));
    await run('repair', ...at, '--execute', '--reason', REASON);
    const enforce = ['meter', 'enforce', ...at, '--org', id, '--credits', 'shadow'];
    expect(JSON.stringify(await read(...enforce))).toContain(JSON.stringify(id));
    expect((await run(...enforce, '--execute', '--reason', REASON)).err).toBe('');
  });

  test('are printed safely by everything that reads or stops', async () => {
    await fleet.cell(0).sql(`update public.orgs set agents = agents + 100000, edition = edition`);
    const preview = await read('reconcile', '--dc', dc);
    expect(listOf(preview.listed).length).toBeGreaterThan(0);
    await run('reconcile', '--dc', dc, '--execute', '--reason', REASON);
    await fleet.drive();
    await fleet.control(`update credit_rollout_control.due_work set note = $1 where note is not null`, [REASON]);
    await read('reconcile', '--history');
    for (const args of [
      ['audit', '--csv'],
      ['reconcile', '--history', '--csv'],
    ]) {
      const io = captureIo({ isTerminal: true });
      await runCli([...args, '--config', configs[0] ?? ''], io);
      expect(io.output()).toContain(',');
      expectPrintable(io.output());
    }
    await read('verify', '--dc', dc);
    await read('doctor');
    await run('settings', 'propose', 'rollout.bake', 'PT1H', '--execute', '--reason', REASON);
    await read('settings');
    await read('webhooks');
    await run('webhooks', 'resend', '--to', `ops\n${FORGED}\u202e`, '--execute', '--reason', REASON);
    await run('settings', 'withdraw', 's1', '--reason', REASON);
    await run('settings', 'get', 'lanes');
    for (const change of [
      ['set', 'lanes', '2'],
      ['unset', 'lanes'],
    ])
      await run('settings', ...change, '--dc', dc, '--execute', '--reason', REASON);
    await read('calendar');
    await read('rate-card', 'check');
    for (const verb of ['wait', 'undo', 'adopt-cell', 'remove', 'uninstall'])
      await run(verb, '--dc', dc, '--reason', REASON);
    await run('cutover', 'execute', '--dc', dc, '--reason', REASON);
    await run('cutover', 'reverse', '--dc', dc, '--to', '2199-01-01', '--reason', REASON);
    await withHolder(`psql\n${FORGED}\u202e`, async () => {
      await run('freeze', '--reason', REASON);
      await read('freeze', '--reason', REASON);
      await read('status');
    });
    await run('unfreeze', '--reason', REASON);
    for (const verb of ['pause', 'resume', 'abort', 'retry']) await run(verb, '--dc', dc, '--reason', REASON);
    await run('detach', '--dc', dc, '--reason', REASON);
    await run('init', '--reason', REASON);
    const audit = listOf((await read('audit')).audit);
    expect(audit.map(({ reason }) => reason)).toContain(REASON);
    expect(audit.map(({ actor }) => actor)).toContain(crowd.people[0]?.name);
    const [, ...rows] = parseCsv((await as(0, ['audit', '--csv'])).out);
    expect(rows.map(([, , actor]) => actor)).toEqual(audit.toReversed().map(({ actor }) => actor));
    expect(rows.map((row) => row[7])).toContain(REASON);
  });

  test('are printed safely by errors, whatever was wrong', async () => {
    for (const text of fc.sample(hostileText, { numRuns: 8, seed: 13 })) {
      await run('why', `no-${text}`, '--dc', dc);
      await run('why', 'x', '--dc', text);
      await run('plan', '--dc', dc, '--rate-card', `no-${text}`);
      await run('plan', '--dc', dc, '--out', join(configs[0] ?? '', text));
      await run(`--${text}`);
      expect((await run('pause', '--dc', dc, '--reason', `${text}\0`)).err).toContain('error [invalid_argument]');
      await run('plans', 'show', text);
      await run('calendar', '--from', text);
      expectPrintable(Object.values(await runCommand('status', '--config', `no-${text}`, '--debug')).join('\n'));
    }
  });
});

test('are printed safely where a configuration names them', async () => {
  const { url, dataCenter, sql } = fleet.cell(0);
  const relation = `o\n${FORGED}\u202e\u001b[35m"`;
  const source = `public.${pg.escapeIdentifier(relation)}`;
  await sql(`create view ${source} as select * from public.orgs`);
  const path = join(folder, 'source.yaml');
  const center = `{ id: ${dc}, zone: ${dataCenter.zone}, database: "${url}", source: ${JSON.stringify(source)} }`;
  await writeFile(
    path,
    `controlDatabase: "${fleet.controlUrl}"\nrateCard: ${JSON.stringify(`r\n${FORGED}`)}\ndataCenters:\n  - ${center}\n`,
  );
  for (const args of [
    ['doctor'],
    ['init'],
    ['plan', '--dc', dc],
    ['plan', '--dc', dc, '--json'],
    ['uninstall', '--dc', dc],
  ]) {
    const { out, err } = await runCommand(...args, '--config', path, '--reason', REASON);
    expectPrintable(out + err);
  }
});

test('are tried with every command', () => {
  // what these write are the events of a log, in JSON; see test/platform/log.test.ts
  const processes = ['meter serve', 'worker', 'scheduler', 'up', 'demo'];
  expect(COMMAND_NAMES.filter((name) => !ranNames.has(name) && !processes.includes(name))).toEqual([]);
});

/** Holds the fence under a name while `work` runs. */
async function withHolder(application: string, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: fleet.cell(0).url, application_name: application });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select from credit_rollout.fence for update');
    await work();
  } finally {
    await client.query('rollback').finally(() => client.end());
  }
}
