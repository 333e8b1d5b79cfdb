// Every command of the program on a real fleet, at 80 and at 60 columns: no line is longer, and every command that an
// output advises stands in it whole. A new command has no case here, and fails the last test.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REGISTRATIONS } from '../../../src/cli/commands/index.js';
import { runCli } from '../../../src/cli/run-cli.js';
import { displayWidth } from '../../../src/cli/terminal/display-width.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { waitFor } from '../../support/wait.js';
import { captureIo } from '../captured-io.js';

const WIDTHS = [80, 60] as const;
const ran = new Set<string>();
let folder = '';
let fleet: Fleet;
let people: TestPeople;
const configs: string[] = [];
const [first, second] = ['in', 'eu'] as const;
const idOf = (name: typeof first | typeof second): string => fleet.cell(name === first ? 0 : 1).dataCenter.id;

/** The names of a command line's command, as `cutover show`; the names of all commands. */
const listCommands = (cli: Command, before = ''): readonly string[] =>
  cli.commands.flatMap((one) =>
    one.commands.length > 0 ? listCommands(one, `${before}${one.name()} `) : [`${before}${one.name()}`],
  );
const program = new Command();
for (const register of REGISTRATIONS) register(program, async () => undefined);
const ALL = listCommands(program);

async function print(args: readonly string[], width: number, person = 0): Promise<string> {
  const io = captureIo({ width });
  await runCli([...args, '--config', configs[person] ?? ''], io);
  return io.output() + io.errors();
}

const name = (args: readonly string[]): string =>
  ALL.find((one) => `${args.join(' ')} `.startsWith(`${one} `)) ??
  `${args[0]} ${args[0] === 'plans' ? 'list' : 'show'}`;

function expectToFit(text: string, width: number): void {
  for (const line of text.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
}

/** Every command in a text, without where its line ends. */
const findCommands = (text: string): readonly string[] =>
  [...text.replaceAll(/ \\\n +/gu, ' ').matchAll(/credit-rollout --config [^\n;,.()]*(?:\.yaml[^\n;,.()]*)/gu)]
    .map(([found]) => found.trim())
    .toSorted();

/** A command that changes nothing, at both widths: a command in it that were broken would not be the same in both. */
async function read(...args: readonly string[]): Promise<void> {
  ran.add(name(args));
  const [wider, narrow] = [await print(args, WIDTHS[0]), await print(args, WIDTHS[1])];
  expectToFit(wider, WIDTHS[0]);
  expectToFit(narrow, WIDTHS[1]);
  expect(wider).not.toMatch(/\[internal\]/u);
  expect(findCommands(narrow)).toEqual(findCommands(wider));
}

/** A command that changes something, at the smaller width; returns what it printed. */
async function change(person: number, ...args: readonly string[]): Promise<string> {
  ran.add(name(args));
  const text = await print([...args, '--reason', 'a reason of some words'], 60, person);
  expectToFit(text, 60);
  expect(text).not.toMatch(/error \[/u);
  return text;
}

/** The wait after the canary has passed: its verification is made older. */
async function untilCanaryIsOver(dc: string): Promise<void> {
  expect(dc).toBe(idOf('in'));
  await fleet.cell(0).sql("update credit_rollout.batches set verified_at = verified_at - interval '1 minute'");
}

/** The same of one that may be refused: an error fits too. */
async function attempt(...args: readonly string[]): Promise<void> {
  ran.add(name(args));
  expectToFit(await print([...args, '--reason', 'a reason of some words'], 60), 60);
}

/** A process, until it has printed `said`. */
async function serve(said: string, ...args: readonly string[]): Promise<void> {
  ran.add(name(args));
  const io = captureIo({ width: 60 });
  const ended = runCli([...args, '--config', configs[2] ?? ''], io);
  await waitFor(said, async () => io.output().includes(said));
  io.interrupt('SIGTERM');
  await ended;
  expectToFit(io.output() + io.errors(), 60);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-width-'));
  const checks = '[{ name: fine, query: select true, holds: [bake] }]';
  const rollout = `{ batchSize: 100, lanes: 1, approval: required, canaryWait: PT20S, guardRails: { orgsTouched: 20 },
    checks: ${checks} }`;
  fleet = await createFleet({ cells: [{}, {}], orgs: 210, queue: 'postgres', rollout });
  people = await createPeople(fleet, 'alice', 'bob');
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  for (const [at, { controlUrl }] of [...people.people, fleet].entries()) {
    const path = join(folder, `${at}.yaml`);
    await writeFile(
      path,
      `controlDatabase: "${controlUrl}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\nrollout: ${rollout}\ndataCenters:\n${dataCenters.join('\n')}\n`,
    );
    configs.push(path);
  }
}, 60_000);
afterAll(async () => {
  await people.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

describe('what a command prints', () => {
  test('fits where it is the help of a command', async () => {
    for (const one of ['', ...ALL, 'plans', 'cutover', 'settings', 'rate-card'])
      for (const width of WIDTHS) expectToFit(await print([...one.split(' ').filter(Boolean), '--help'], width), width);
  });

  test('fits before anything was rolled out, and where it is an error', async () => {
    await read('status', '--within', '60');
    await read('plans');
    await read('calendar', '--to', '2027-03-01');
    await read('verify', '--all');
    await read('wait', '--all');
    await read('apply', '--all');
    await read('doctor');
    await read('rate-card', 'check');
    await read('settings', 'show');
    await read('cutover', 'show');
    await read('reconcile', '--history');
    await read('why', 'no-such-org', '--dc', idOf('in'));
    await read('plan', '--dc', 'nowhere');
    await read('apply', '--plan', `${idOf('in')}-9`);
    await read('plan', '--nonsense');
    await read('why', '1', '--dc', idOf('in'));
    await read('quarantine', '--dc', idOf('in'));
  });

  test('fits while it is rolled out, and afterwards', async () => {
    const dc = idOf('in');
    await change(0, 'plan', '--dc', dc);
    await read('apply', '--plan', `${dc}-1`);
    await read('plans', 'show', `${dc}-1`);
    await change(1, 'approve', `${dc}-1`);
    await change(0, 'apply', '--plan', `${dc}-1`, '--execute');
    await fleet.drive();
    await read('status', '--within', '60');
    await read('settings', 'set', 'lanes', '1', '--dc', dc);
    await read('settings', 'get', 'lanes');
    await read('settings', 'unset', 'lanes', '--dc', dc);
    await read('settings', 'set', 'checks.fine', 'off', '--dc', dc, '--emergency');
    await change(0, 'settings', 'set', 'checks.fine', 'off', '--dc', dc, '--emergency', '--execute');
    await read('settings', 'get', 'checks');
    await read('settings', 'unset', 'checks.fine', '--dc', dc);
    await change(0, 'settings', 'set', 'lanes', '1', '--dc', dc, '--execute');
    await fleet.control(`insert into credit_rollout_control.webhooks (webhook, failures, error, next_attempt_at)
      values ('the-chat-of-all-operators', 7, 'http_503', now() + interval '8 hours')`);
    await change(0, 'pause', '--dc', dc, '--for', 'PT2H');
    await fleet.control(`update credit_rollout_control.webhook_deliveries set state = 'dead', error = 'http_503'`);
    await read('webhooks', 'list');
    await read('webhooks', 'resend', '--to', 'the-chat-of-all-operators');
    await read('webhooks', 'resend', '7', '--to', 'nowhere');
    await read('status', '--within', '60');
    await change(0, 'resume', '--dc', dc);
    await untilCanaryIsOver(dc);
    await fleet.drive();
    await read('status', '--within', '60');
    await read('plans');
    await read('plans', 'show', `${dc}-1`, '--stale');
    await read('plans', 'diff', `${dc}-1`, `${dc}-1`);
    await read('verify', '--dc', dc);
    await read('why', '4', '--dc', dc);
    await read('quarantine', '--dc', dc, '--limit', '1');
    await read('wait', '--dc', dc);
    await read('calendar');
    await read('cutover', 'show');
    await read('doctor');
    await read('repair', '--dc', dc);
    await read('undo', '--dc', dc, '--limit', '3');
    await change(0, 'undo', '--dc', dc);
    await read('undo', '--dc', dc, '--show');
  });

  test('fits where two people decide, and where it stops or checks something', async () => {
    const dc = idOf('in');
    await change(0, 'protect', '4', '--dc', dc);
    const proposed = await change(0, 'override', '4', '--dc', dc, '--floor', '900000');
    await change(1, 'approve', /\S+-o\d+/u.exec(proposed)?.[0] ?? '');
    await change(0, 'cutover', 'postpone', '--dc', dc, '--to', '2199-01-01');
    await read('cutover', 'show');
    await read('cutover', 'execute', '--dc', dc);
    await attempt('cutover', 'reverse', '--dc', dc, '--to', '2199-01-01');
    await read('settings', 'propose', 'rollout.bake', 'PT1H');
    await change(0, 'settings', 'propose', 'rollout.bake', 'PT1H', '--execute');
    await read('settings', 'show');
    await change(0, 'settings', 'withdraw', 's1');
    await fleet.cell(0).sql('update public.orgs set agents = agents + 100000, updated_at = null');
    await read('reconcile', '--dc', dc);
    await change(0, 'reconcile', '--dc', dc, '--execute');
    await fleet.drive();
    await read('reconcile', '--history');
    await read('usage', 'show', '--dc', dc);
    await read('usage', 'show', '4', '--dc', dc);
    await read('usage', 'propose', '--dc', dc);
    await read('meter', 'enforce', '--dc', dc, '--org', '4', '--credits', 'on');
    await change(0, 'meter', 'enforce', '--dc', dc, '--concurrency', 'off', '--execute');
    await change(0, 'exception', 'add', '4', '--dc', dc, '--text', 'We import at night.', '--execute');
    await read('exception', 'list', '--dc', dc);
    await read('exception', 'answer', '4', '--dc', dc, '--decline', 'Import in smaller pieces.');
    await change(0, 'freeze');
    await read('status', '--within', '60');
    await change(0, 'unfreeze');
    await attempt('abort', '--dc', idOf('eu'));
    await attempt('retry', '--dc', dc);
    for (const verb of ['remove', 'uninstall', 'adopt-cell']) await read(verb, '--dc', dc);
    await change(0, 'detach', '--dc', dc);
    await read('status', '--within', '60');
    await change(2, 'init');
    await read('audit', '--limit', '3');
    await read('audit');
    await read('audit', '--verify');
    await fleet.cell(1).sql("insert into credit_rollout.audit_heads values (900000, repeat('0', 64))");
    await read('audit', '--verify');
    await change(0, 'audit', '--verify', '--accept-cut', '--execute');
    await read('audit', '--verify');
    await read('status', '--within', '60');
    await change(1, 'approve', 'h1');
    await read('audit', '--verify');
  });

  test('fits of what runs until it is stopped', async () => {
    await attempt('meter', 'serve', '--dc', idOf('in'), '--listen', 'nowhere on this machine');
    await serve('serving', 'worker', '--dc', idOf('in'));
    await serve('scheduler: running', 'scheduler');
    await serve('serving', 'up');
  });
});

test('is checked here for every command', () => {
  // demo is the one that starts servers of its own; docs/first-rollout holds what it prints
  expect(ALL.filter((one) => !ran.has(one) && one !== 'demo')).toEqual([]);
});
