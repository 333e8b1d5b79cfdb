// Errors of every class that a Postgres server can raise, in the place of every statement of every command, and in the
// work of a scheduler and a worker: none ends as a bug, none shows a text of the server, none leaves half of something.
// A new command has no case here, and fails the last test.

import { appendFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REGISTRATIONS } from '../../src/cli/commands/index.js';
import { runCli } from '../../src/cli/run-cli.js';
import { captureIo, type RanCommand, runCommand } from '../cli/captured-io.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { type InjectingProxy, startInjectingProxy } from '../support/injecting-proxy.js';
import { createPeople, type TestPeople } from '../support/person.js';
import { adminUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';
import { FAULTS, type Fault, findWrong, MARKER } from './injected-faults.js';

const SHOW = process.env.SHOW;
const require_append = (t: string) => appendFileSync('/tmp/fix12-inject.log', t);
let folder = '';
let fleet: Fleet;
let people: TestPeople;
let proxy: InjectingProxy;
let dc = '';
let at: readonly string[] = [];
/** Of alice, of bob, and of the owner of everything. */
const configs: string[] = [];
const [ALICE, BOB, OWNER] = [0, 1, 2] as const;
type Person = typeof ALICE | typeof BOB | typeof OWNER;

const program = new Command();
for (const register of REGISTRATIONS) register(program, async () => undefined);
const listCommands = (cli: Command, before = ''): readonly string[] =>
  cli.commands.flatMap((one) =>
    one.commands.length > 0 ? listCommands(one, `${before}${one.name()} `) : [`${before}${one.name()}`],
  );
const ALL = listCommands(program);
const ran = new Set<string>();
const remember = (args: readonly string[]): void => {
  const found = ALL.find((one) => `${args.join(' ')} `.startsWith(`${one} `));
  ran.add(found ?? `${args[0]} ${args[0] === 'plans' ? 'list' : 'show'}`);
};

const run = (person: Person, args: readonly string[]): Promise<RanCommand> =>
  runCommand(...args, '--json', '--reason', 'a test', '--config', configs[person] ?? '');

let turns = 0;
const classes = Object.values(FAULTS);
/** One class after the other, and one fault of a class after the other. */
function nextFault(): Fault {
  const faults = classes[turns % classes.length] ?? [];
  const fault = faults[Math.floor(turns / classes.length) % faults.length];
  turns += 1;
  return fault ?? NEVER;
}
const wrong: string[] = [];

interface Attempt extends RanCommand {
  readonly happened: boolean;
  readonly statements: number;
}

/** The command while one statement fails; undefined: it has fewer statements. What is wrong is collected. */
async function attempt(person: Person, args: readonly string[], fault: Fault, n: number): Promise<Attempt> {
  proxy.inject({ ...fault, at: n, marker: MARKER });
  const ended = await run(person, args);
  const cleared = proxy.clear();
  if (process.env.SHOW) {
    const d = (ended.out.match(/"code": "\w+"/g) ?? []).slice(0, 3).join();
    require_append(
      `${args.slice(0, 2).join(' ')} ${fault.sqlstate} ${fault.as} at ${n}/${cleared.statements} ${cleared.happened} -> ${ended.code} ${d} ${(/"message": "([^"]*(\\")?)*/.exec(ended.out)?.[0] ?? '').slice(0, 120)}\n`,
    );
  }
  if (cleared.happened)
    for (const one of findWrong(ended)) wrong.push(`${args.join(' ')} (${fault.sqlstate} ${fault.as} at ${n}): ${one}`);
  return { ...ended, ...cleared };
}

const NEVER: Fault = { sqlstate: '00000', as: 'error' };
/** It worked, or was asked for. */
const DONE: readonly number[] = [0, 4];
const expectIsDone = (args: readonly string[], { code, out, err }: RanCommand): void => {
  const text = DONE.includes(code) ? '' : out + err;
  expect({ args, code, text }).toEqual({ args, code: expect.toBeOneOf([...DONE]), text: '' });
};

/** How many errors a command meets; each run goes on with the classes that the one before did not have. */
const MANY = process.env.ATTEMPTS ? Number(process.env.ATTEMPTS) : 4;
const attemptsFor = (statements: number): number => (statements > 150 ? 2 : MANY);

/**
 * Errors of as many classes as a command takes, spread over its statements. What was not done is done by the same
 * command; `prepare` makes what it needs, and is called again where it was done in spite of the error.
 */
async function change(person: Person, prepare: () => Promise<readonly string[]>): Promise<RanCommand> {
  let args = await prepare();
  remember(args);
  const { statements, ...first } = await attempt(person, args, NEVER, 0);
  const ATTEMPTS = attemptsFor(statements);
  expectIsDone(args, first);
  args = await prepare();
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const fault = nextFault();
    const share = (n + (turns % 7) / 7) / ATTEMPTS;
    const position = 1 + Math.floor(share * statements);
    const ended = await attempt(person, args, fault, fault.as === 'refused' ? 1 : position);
    const { length } = wrong;
    // whether a commit was done that nobody answered, only another look tells
    if (DONE.includes(ended.code) || fault.as === 'unanswered') args = await prepare();
    else if (SHOW)
      await attempt(person, args, NEVER, 0).then((again) => {
        if (!DONE.includes(again.code))
          wrong.push(
            `HALF DONE ${args.join(' ')} after ${fault.sqlstate} ${fault.as} at ${position}/${statements}: ${again.code} ${again.out}`,
          );
      });
    if (SHOW) args = await prepare();
    if (length === -1) return ended;
  }
  const last = await run(person, args);
  expectIsDone(args, last);
  return last;
}

const changeAgain = (person: Person, ...args: readonly string[]): Promise<RanCommand> =>
  change(person, async () => args);

/** A command that changes nothing: then it works as before. */
async function read(person: Person, ...args: readonly string[]): Promise<void> {
  remember(args);
  const { statements, code } = await attempt(person, args, NEVER, 0);
  const ATTEMPTS = attemptsFor(statements);
  for (let n = 0; n < ATTEMPTS; n += 1) {
    const fault = nextFault();
    const share = (n + (turns % 7) / 7) / ATTEMPTS;
    await attempt(person, args, fault, fault.as === 'refused' ? 1 + (turns % 2) : 1 + Math.floor(share * statements));
  }
  expect({ args, code: (await run(person, args)).code }).toEqual({ args, code });
}

/** A command that is meant to work, without errors; its document. */
async function expectDone(person: Person, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const ended = await run(person, args);
  expectIsDone(args, ended);
  return JSON.parse(ended.out);
}

async function makeConfig(name: string, control: string): Promise<string> {
  const path = join(folder, `${name}.yaml`);
  const { zone, id } = fleet.cell(0).dataCenter;
  const lines = [
    `controlDatabase: "${proxy.through(control)}"`,
    `queue: "${proxy.through(fleet.queueUrl ?? '')}"`,
    `rateCard: ${resolve('src/sample/rate-card.yaml')}`,
    'rollout: { batchSize: 100 }',
    `dataCenters: [{ id: ${id}, zone: ${zone}, database: "${proxy.through(fleet.cell(0).url)}", source: public.orgs }]`,
  ];
  await writeFile(path, lines.join('\n'));
  return path;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-injected-'));
  proxy = await startInjectingProxy(adminUrl());
  fleet = await createFleet({ orgs: 60, queue: 'postgres' });
  people = await createPeople(fleet, 'alice', 'bob');
  for (const { name, controlUrl } of people.people) configs.push(await makeConfig(name, controlUrl));
  configs.push(await makeConfig('owner', fleet.controlUrl));
  dc = fleet.cell(0).dataCenter.id;
  at = ['--dc', dc];
}, 60_000);
afterAll(async () => {
  await proxy.stop();
  await people.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** A process that runs until it is stopped: it fails with a code, or says what it waits for and goes on. */
async function serve(person: Person, ...args: readonly string[]): Promise<void> {
  remember(args);
  for (const fault of [nextFault(), nextFault(), nextFault()]) {
    const io = captureIo();
    proxy.inject({ ...fault, at: fault.as === 'refused' ? 1 : 2, marker: MARKER });
    const ended = runCli([...args, '--config', configs[person] ?? ''], io);
    await waitFor('its start', async () => /serving|running|next:/u.test(io.output() + io.errors()));
    io.interrupt('SIGTERM');
    const shown = { code: await ended, out: '', err: io.output() + io.errors() };
    proxy.clear();
    for (const one of findWrong(shown)) wrong.push(`${args.join(' ')} (${fault.sqlstate} ${fault.as}): ${one}`);
  }
}

const setInstant = (sql: string): Promise<unknown> =>
  fleet.control(`set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now();
    update credit_rollout_control.data_centers set ${sql}`);
const editAllotment = (by: number): Promise<unknown> =>
  fleet.cell(0).sql(`update credit_rollout.allotments set variable_credits = variable_credits + ${by},
    total_credits = total_credits + ${by} where org_id = 14`);

describe('a command whose database raises an error', () => {
  test('before anything was rolled out', { timeout: 900_000 }, async () => {
    await changeAgain(OWNER, 'init');
    await read(OWNER, 'doctor');
    await read(ALICE, 'status', '--within', '60');
    await read(ALICE, 'wait', ...at);
    const planned = await changeAgain(ALICE, 'plan', ...at);
    const planId = String(JSON.parse(planned.out).plan_id);
    await change(BOB, async () => {
      const { plan_id: other } = await expectDone(ALICE, 'plan', ...at);
      return ['approve', String(other)];
    });
    await read(ALICE, 'plans');
    await read(ALICE, 'plans', 'show', planId);
    await read(ALICE, 'plans', 'diff', planId, planId);
    expect(wrong).toEqual([]);
  });

  test('while it is rolled out', { timeout: 900_000 }, async () => {
    await read(ALICE, 'apply', ...at);
    await change(ALICE, async () => {
      await run(ALICE, ['abort', ...at]);
      await fleet.drive();
      return ['apply', ...at, '--execute'];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['resume', ...at]);
      return ['pause', ...at];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['pause', ...at]);
      return ['resume', ...at];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['apply', ...at, '--execute']);
      return ['abort', ...at];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['unfreeze']);
      return ['freeze', ...at];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['freeze']);
      return ['unfreeze'];
    });
    await fleet.cell(0).sql('alter table credit_rollout.allotments add constraint never_47 check (org_id <> 47)');
    await change(ALICE, async () => {
      await run(ALICE, ['apply', ...at, '--execute']);
      expect(await fleet.drive()).toEqual(['failed']);
      return ['retry', ...at];
    });
    await fleet.cell(0).sql('alter table credit_rollout.allotments drop constraint never_47');
    await fleet.drive();
    await run(ALICE, ['retry', ...at]);
    expect(await fleet.drive()).toEqual(['done']);
    expect(wrong).toEqual([]);
  });

  test('afterwards', { timeout: 900_000 }, async () => {
    await read(ALICE, 'calendar');
    await read(ALICE, 'cutover', 'show');
    await read(ALICE, 'verify', ...at);
    await read(ALICE, 'why', '4', ...at);
    await read(ALICE, 'quarantine', ...at);
    await read(ALICE, 'audit');
    await read(ALICE, 'settings', 'show');
    await read(ALICE, 'reconcile', ...at);
    await read(ALICE, 'usage', 'show', ...at);
    await read(ALICE, 'usage', 'show', '4', ...at);
    await read(ALICE, 'exception', 'list', ...at);
    await change(ALICE, async () => {
      await run(ALICE, ['protect', '5', ...at, '--remove']);
      return ['protect', '5', ...at];
    });
    await change(ALICE, async () => {
      await run(ALICE, ['override', '13', ...at, '--withdraw']);
      return ['override', '13', ...at, '--floor', '4000000'];
    });
    await run(ALICE, ['override', '13', ...at, '--withdraw']);
    await change(BOB, async () => {
      const { override_id: id } = await expectDone(ALICE, 'override', '13', ...at, '--floor', '4000000');
      return ['approve', String(id)];
    });
    await change(ALICE, async () => {
      await run(BOB, ['exception', 'answer', '15', ...at, '--execute', '--decline', 'no']);
      return ['exception', 'add', '15', ...at, '--execute', '--text', 'imports'];
    });
    await change(BOB, async () => {
      await run(ALICE, ['exception', 'add', '15', ...at, '--execute', '--text', 'imports']);
      return ['exception', 'answer', '15', ...at, '--execute', '--decline', 'no'];
    });
    expect(wrong).toEqual([]);
  });

  test('in what two people decide', { timeout: 900_000 }, async () => {
    await fleet.drive();
    const propose = ['settings', 'propose', 'rollout.bake', 'PT1H', '--execute'];
    const idOf = (document: Readonly<Record<string, unknown>>): string =>
      String((document.changes as readonly { readonly change_id: string }[])[0]?.change_id);
    const withdraw = async (): Promise<void> => {
      const open = await fleet.control(
        `select change_id from credit_rollout_control.policy_changes where state = 'proposed'`,
      );
      for (const { change_id: id } of open) await expectDone(ALICE, 'settings', 'withdraw', `s${id}`);
    };
    await change(ALICE, async () => {
      await withdraw();
      return propose;
    });
    await change(ALICE, async () => {
      await withdraw();
      return ['settings', 'withdraw', idOf(await expectDone(ALICE, ...propose))];
    });
    await change(BOB, async () => {
      await withdraw();
      const other = (
        await fleet.control(`select value from credit_rollout_control.policy where name = 'rollout.bake'`)
      )[0]?.value;
      return [
        'approve',
        idOf(
          await expectDone(
            ALICE,
            ...propose.with(3, String(other).includes('3600') || String(other).includes('1H') ? 'PT2H' : 'PT1H'),
          ),
        ),
      ];
    });
    await withdraw();
    await editAllotment(-1);
    await read(ALICE, 'repair', ...at);
    await change(ALICE, async () => {
      await fleet.drive();
      await editAllotment(-1);
      return ['repair', ...at, '--execute'];
    });
    await fleet.drive();
    await change(ALICE, async () => {
      await fleet.drive();
      return ['reconcile', ...at, '--execute'];
    });
    await fleet.drive();
    await read(ALICE, 'reconcile', '--history');
    await read(ALICE, 'usage', 'propose', ...at);
    await setInstant(`cutover_at = '2098-10-30', cutover_local = '2098-10-30T00:00:00 UTC'`);
    await change(ALICE, async () => {
      await run(ALICE, ['cutover', 'postpone', ...at, '--withdraw']);
      return ['cutover', 'postpone', ...at, '--to', '2098-11-03'];
    });
    await run(ALICE, ['cutover', 'postpone', ...at, '--withdraw']);
    await setInstant(`cutover_at = now() - interval '1 hour'`);
    await read(ALICE, 'cutover', 'execute', ...at);
    await change(ALICE, async () => ['cutover', 'execute', ...at, '--execute']);
    await fleet.drive();
    await change(ALICE, async () => {
      await run(ALICE, ['cutover', 'reverse', ...at, '--withdraw']);
      return ['cutover', 'reverse', ...at, '--to', '2098-11-03'];
    });
    await read(ALICE, 'adopt-cell', ...at);
    await read(ALICE, 'remove', ...at);
    await read(OWNER, 'uninstall', ...at);
    await serve(OWNER, 'worker', ...at);
    await serve(OWNER, 'scheduler');
    await serve(OWNER, 'up');
    await serve(OWNER, 'meter', ...at, '--listen', '127.0.0.1:0');
    await change(OWNER, async () => {
      await expectDone(OWNER, 'init');
      return ['detach', ...at];
    });
    await change(OWNER, async () => {
      await expectDone(OWNER, 'init');
      await fleet.control('delete from credit_rollout_control.schedulers');
      return ['uninstall', ...at, '--execute'];
    });
    expect(wrong).toEqual([]);
  });
});

test.todo('is checked here for every command', () => {
  expect(ALL.filter((one) => !ran.has(one) && one !== 'demo')).toEqual([]);
});
