// Every verb that changes something leaves exactly one row in control's audit that records it, and no verb is missing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REGISTRATIONS } from '../../../src/cli/commands/index.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
const dc = (): string => fleet.cell(0).dataCenter.id;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-audit-'));
  fleet = await createFleet({ orgs: 100, queue: 'postgres' });
  crowd = await createPeople(fleet, 'alice', 'bob');
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** Verbs that change nothing, and the processes, whose steps have rows of their own. */
const READS = ['doctor', 'plans', 'plans show', 'plans diff', 'status', 'calendar', 'cutover show', 'verify', 'why'];
const MORE_READS = ['wait', 'quarantine', 'rate-card check', 'settings show', 'settings get'];
const USAGE_READS = ['usage show', 'exception list', 'webhooks list'];
const PROCESSES = ['worker', 'meter serve', 'scheduler', 'up', 'demo'];
/** It makes the audit itself; what it did is in the tables of migrations. */
const SCHEMAS = ['init', 'remove', 'uninstall', 'adopt-cell'];

/** Every command that can be run, in words. */
function listVerbs(): readonly string[] {
  const cli = new Command();
  for (const register of REGISTRATIONS) register(cli, async () => undefined);
  const walk = (command: Command, path: readonly string[]): readonly string[] => {
    const own = [...path, command.name()];
    const below = command.commands.flatMap((child) => walk(child, own));
    // a group has no action of its own, but for `plans`, which lists
    return below.length === 0 || own.join(' ') === 'plans' ? [own.join(' '), ...below] : below;
  };
  return cli.commands.flatMap((command) => walk(command, []));
}

interface Ran {
  readonly verb: string;
  readonly action: string;
  readonly json: Readonly<Record<string, unknown>>;
}

const ran: Ran[] = [];
const ALICE = 0;
const BOB = 1;

async function writeConfig(person: number): Promise<string> {
  const path = join(folder, `${person}.yaml`);
  const { zone, id } = fleet.cell(0).dataCenter;
  const lines = [
    `controlDatabase: "${crowd.people[person]?.controlUrl}"`,
    `queue: "${fleet.queueUrl}"`,
    `rateCard: ${resolve('src/sample/rate-card.yaml')}`,
    'rollout: { batchSize: 100 }',
    `dataCenters: [{ id: ${id}, zone: ${zone}, database: "${fleet.cell(0).url}", source: public.orgs }]`,
  ];
  await writeFile(path, lines.join('\n'));
  return path;
}

const count = async (action: string, actor: string | undefined): Promise<number> =>
  Number(
    (
      await fleet.control(
        'select count(*)::int as n from credit_rollout_control.audit where action = $1 and actor = $2',
        [action, actor],
      )
    )[0]?.n,
  );

/** Runs a verb as a person: it is executed or asked for, and its action has exactly one row more, of that person. */
async function leavesOne(person: number, verb: string, action: string, ...args: readonly string[]): Promise<Ran> {
  const name = crowd.people[person]?.name;
  const before = await count(action, name);
  const line = [...verb.split(' '), ...args, '--reason', 'a test', '--json', '--config', await writeConfig(person)];
  const { code, out, err } = await runCommand(...line);
  // 4: asked for, and nothing has executed it yet
  expect({ verb, args, code, err }).toMatchObject({ code: expect.toBeOneOf([0, 4]) });
  expect({ verb, args, action, rows: (await count(action, name)) - before }).toEqual({ verb, args, action, rows: 1 });
  const [row] = await fleet.control(
    'select reason from credit_rollout_control.audit where action = $1 and actor = $2 order by seq desc limit 1',
    [action, name],
  );
  expect({ verb, action, ...row }).toEqual({ verb, action, reason: 'a test' });
  const one = { verb, action, json: JSON.parse(out) as Readonly<Record<string, unknown>> };
  ran.push(one);
  return one;
}

const setInstant = (sql: string): Promise<unknown> =>
  fleet.control(`set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now();
    update credit_rollout_control.data_centers set ${sql}`);

describe('the audit', () => {
  test('has one row of each verb of a rollout', async () => {
    const at = ['--dc', dc()];
    const { json } = await leavesOne(ALICE, 'plan', 'plan', ...at);
    await leavesOne(BOB, 'approve', 'approve', String(json.plan_id));
    await leavesOne(ALICE, 'protect', 'protect', '5', ...at);
    await leavesOne(ALICE, 'protect', 'unprotect', '5', ...at, '--remove');
    await leavesOne(ALICE, 'freeze', 'freeze', ...at);
    await leavesOne(ALICE, 'unfreeze', 'unfreeze', ...at);
    await leavesOne(ALICE, 'apply', 'apply', ...at, '--execute');
    await leavesOne(ALICE, 'settings set', 'set_lanes', 'lanes', '1', ...at, '--execute');
    await leavesOne(ALICE, 'settings unset', 'unset_lanes', 'lanes', ...at, '--execute');
    await leavesOne(ALICE, 'settings set', 'set_check', 'checks.wal', '100000', ...at, '--execute');
    await leavesOne(ALICE, 'settings unset', 'unset_check', 'checks.wal', ...at, '--execute');
    await fleet.control(`insert into credit_rollout_control.webhooks (webhook) values ('ops')`);
    await leavesOne(ALICE, 'pause', 'pause', ...at);
    await fleet.control(
      `insert into credit_rollout_control.webhook_events (kind, code, since) values ('hold.began', 'x', now())`,
    );
    await fleet.control(`update credit_rollout_control.webhook_deliveries set state = 'dead'`);
    await leavesOne(ALICE, 'webhooks resend', 'resend_webhook', '--to', 'ops', '--execute');
    await leavesOne(ALICE, 'resume', 'resume', ...at);
    await leavesOne(ALICE, 'abort', 'abort', ...at);
    expect(await fleet.drive()).toEqual(['pending']);
    await leavesOne(BOB, 'apply', 'apply', ...at, '--execute');
    await fleet.cell(0).sql('alter table credit_rollout.allotments add constraint never_47 check (org_id <> 47)');
    expect(await fleet.drive()).toEqual(['failed']);
    await fleet.cell(0).sql('alter table credit_rollout.allotments drop constraint never_47');
    await leavesOne(ALICE, 'retry', 'retry', ...at);
    expect(await fleet.drive()).toEqual(['done']);
  });

  test('has one row of each verb that comes after it', async () => {
    const at = ['--dc', dc()];
    await leavesOne(ALICE, 'override', 'override', '13', ...at, '--floor', '4000000');
    await leavesOne(ALICE, 'override', 'override_withdrawn', '13', ...at, '--withdraw');
    const { json } = await leavesOne(ALICE, 'override', 'override', '13', ...at, '--floor', '4000000');
    await leavesOne(BOB, 'approve', 'approve', String(json.override_id));
    await fleet.cell(0).sql(`update credit_rollout.allotments set variable_credits = variable_credits + 1,
      total_credits = total_credits + 1 where org_id = 14`);
    const repair = await leavesOne(ALICE, 'repair', 'repair', ...at, '--execute');
    await leavesOne(BOB, 'approve', 'approve', String(repair.json.repair_id));
    const asks = ['15', ...at, '--execute'];
    await leavesOne(ALICE, 'exception add', 'exception', ...asks, '--text', 'imports on Mondays');
    await leavesOne(BOB, 'exception answer', 'exception_declined', ...asks, '--decline', 'enough');
    await leavesOne(ALICE, 'exception add', 'exception', ...asks, '--text', 'imports on Mondays');
    await leavesOne(BOB, 'exception answer', 'exception_withdrawn', ...asks, '--withdraw');
    await leavesOne(ALICE, 'exception add', 'exception', ...asks, '--text', 'imports on Mondays');
    await leavesOne(BOB, 'exception answer', 'override', ...asks, '--floor', '4000000');
    await fleet.cell(0).sql(`insert into credit_rollout.usage_days select a.org_id, current_date - 2, 'credits', 1,
      a.total_credits * 2, 0, 0, 0, 0, 0, '{}' from credit_rollout.allotments a where a.paid order by 1 limit 1`);
    await leavesOne(ALICE, 'usage propose', 'override', ...at, '--execute');
    await leavesOne(ALICE, 'meter enforce', 'enforce', ...at, '--credits', 'on', '--execute');
    await leavesOne(ALICE, 'reconcile', 'ask_reconcile', ...at, '--execute');
    await fleet.drive();
    const undo = await leavesOne(ALICE, 'undo', 'propose_undo', ...at, '--execute');
    await leavesOne(ALICE, 'undo', 'withdraw_undo', ...at, '--withdraw', String(undo.json.undo_id));
  });

  test('has one row of each verb of a cut-over, and of detach', async () => {
    const at = ['--dc', dc()];
    await setInstant(`cutover_at = '2098-10-30', cutover_local = '2098-10-30T00:00:00 UTC'`);
    await leavesOne(ALICE, 'cutover postpone', 'postpone', ...at, '--to', '2098-11-03');
    await leavesOne(ALICE, 'cutover postpone', 'postpone_withdrawn', ...at, '--withdraw');
    const postponed = await leavesOne(ALICE, 'cutover postpone', 'postpone', ...at, '--to', '2098-11-03');
    await leavesOne(BOB, 'approve', 'postponed', String(postponed.json.postponement_id));
    await setInstant(`cutover_at = now() - interval '1 hour'`);
    await leavesOne(ALICE, 'cutover execute', 'cutover', ...at, '--execute');
    await fleet.drive();
    await leavesOne(ALICE, 'cutover reverse', 'reverse', ...at, '--to', '2098-11-03');
    await leavesOne(ALICE, 'cutover reverse', 'reverse_withdrawn', ...at, '--withdraw');
    const reversed = await leavesOne(ALICE, 'cutover reverse', 'reverse', ...at, '--to', '2098-11-03');
    await leavesOne(BOB, 'approve', 'reversed', String(reversed.json.reversal_id));
    await leavesOne(ALICE, 'detach', 'detach', ...at);
  });

  test('has one row of each verb that changes the policy', async () => {
    const propose = async (value: string): Promise<string> => {
      const { json } = await leavesOne(
        ALICE,
        'settings propose',
        'propose_setting',
        ...['rollout.bake', value, '--execute'],
      );
      const [change] = json.changes as readonly { readonly change_id: string }[];
      return String(change?.change_id);
    };
    await leavesOne(ALICE, 'settings withdraw', 'withdraw_setting', await propose('PT1H'));
    await leavesOne(BOB, 'approve', 'change_setting', await propose('PT2H'));
  });

  test('has one row of each verb that accepts what it has lost', async () => {
    await fleet.cell(0).sql(`insert into credit_rollout.audit_heads (link, hash) values (900000, repeat('0', 64))`);
    const accept = ['--verify', '--accept-cut'];
    const config = ['--reason', 'x', '--config', await writeConfig(ALICE)];
    for (const flags of [
      ['--withdraw'],
      ['--verify', '--withdraw'],
      // nothing waits
      [...accept, '--withdraw'],
      [...accept, '--withdraw', '--execute'],
      [...accept, '--withdraw', '--dc', dc()],
      [...accept, '--execute', '--head', `1:${'0'.repeat(64)}`],
    ])
      expect((await runCommand('audit', ...flags, ...config)).code, flags.join(' ')).toBe(1);
    await leavesOne(ALICE, 'audit', 'propose_audit_cut', ...accept, '--execute');
    await leavesOne(BOB, 'audit', 'withdraw_audit_cut', ...accept, '--withdraw');
    const { json } = await leavesOne(ALICE, 'audit', 'propose_audit_cut', ...accept, '--execute');
    await leavesOne(BOB, 'approve', 'accept_audit_cut', String(json.cut_id));
  });

  test('is checked for every verb that there is', () => {
    const known = [
      ...new Set(ran.map(({ verb }) => verb)),
      ...READS,
      ...MORE_READS,
      ...USAGE_READS,
      ...PROCESSES,
      ...SCHEMAS,
    ];
    expect(listVerbs().toSorted()).toEqual(known.toSorted());
  });
});
