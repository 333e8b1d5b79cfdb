// The command lines of freeze and cut-over: what they print, return and write, with control and the queue stopped too.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { startStopwatch } from '../../support/stopwatch.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let crowd: TestPeople;
const idOf = (n: number): string => fleet.cell(n).dataCenter.id;

/** A configuration of its own per control URL; `away`: control and queue lead nowhere. */
async function writeConfig(name: string, control: string, queue: string): Promise<string> {
  const path = join(folder, `${name}.yaml`);
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  const card = resolve('src/sample/rate-card.yaml');
  await writeFile(
    path,
    `controlDatabase: "${control}"\nqueue: "${queue}"\nrateCard: ${card}\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  return path;
}
const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';
const as = async (n: number, ...args: readonly string[]): Promise<RanCommand> => {
  const person = crowd.people[n];
  return runCommand(
    ...args,
    '--config',
    await writeConfig(`person-${n}`, person?.controlUrl ?? '', fleet.queueUrl ?? ''),
  );
};
const away = async (...args: readonly string[]): Promise<RanCommand> =>
  runCommand(...args, '--config', await writeConfig('away', NOWHERE, NOWHERE));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-cutover-'));
  fleet = await createFleet({ cells: [{}, {}], orgs: 50, queue: 'postgres' });
  crowd = await createPeople(fleet, 'alice', 'bob');
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

describe('freeze and unfreeze', () => {
  test('work with control and queue stopped, in seconds, and report that control has no record', async () => {
    const stopwatch = startStopwatch(fleet.cell(0));
    const { code, out } = await away('freeze', '--reason', 'incident', '--json');
    expect(await stopwatch()).toBeLessThan(10_000);
    expect(code).toBe(0);
    const document = JSON.parse(out);
    expect(document).toMatchObject({
      recorded: false,
      data_centers: [{ state: 'frozen', reason: 'incident' }, { state: 'frozen' }],
    });
    expect(document.next).toContain('unfreeze');
    for (const { sql } of fleet.cells)
      expect(await sql('select reason, lifted_at from credit_rollout.freezes')).toEqual([
        { reason: 'incident', lifted_at: null },
      ]);
    const again = await away('freeze', '--dc', idOf(0));
    expect(again.out).toContain('frozen already');
    const lifted = await away('unfreeze', '--dc', idOf(0));
    expect(lifted.out).toContain('continues where it was');
    expect(lifted.out).toContain('The control database could not be reached');
    expect((await as(0, 'unfreeze', '--reason', 'over')).out).toContain('was not frozen');
  });

  test('are recorded in control where it is there, and shown by status', async () => {
    expect((await as(0, 'freeze', '--dc', idOf(1), '--reason', 'why')).code).toBe(0);
    const status = JSON.parse((await as(0, 'status', '--json')).out);
    const hold = status.data_centers[1].holds.find(({ code }: { code: string }) => code === 'frozen');
    expect(hold).toMatchObject({ needs_person: true, release: expect.stringContaining(`unfreeze --dc ${idOf(1)}`) });
    const { freeze } = status.data_centers[1];
    // the same name as in control's audit, not the login of the cell
    expect(freeze).toEqual({ since: expect.any(String), by: crowd.people[0]?.name, reason: 'why' });
    expect(status.data_centers[0].freeze).toBeNull();
    const line = /waits: it is frozen.*/u.exec((await as(0, 'status')).out)?.[0];
    expect(line).toContain(`by ${freeze.by} (why); to continue: `);
    expect(line?.split('since')).toHaveLength(2);
    expect((await as(0, 'unfreeze', '--dc', idOf(1))).code).toBe(0);
    const rows = await fleet.control(
      `select actor, action, reason from credit_rollout_control.audit where action like '%freeze' order by seq`,
    );
    expect(rows).toEqual([
      { actor: crowd.people[0]?.name, action: 'unfreeze', reason: 'over' },
      { actor: crowd.people[0]?.name, action: 'freeze', reason: 'why' },
      { actor: crowd.people[0]?.name, action: 'unfreeze', reason: null },
    ]);
  });

  test('reject a data center that does not exist', async () => {
    expect(await as(0, 'freeze', '--dc', 'nowhere')).toMatchObject({
      code: 1,
      err: expect.stringContaining('unknown_data_center'),
    });
  });
});

describe('cutover', () => {
  test('shows, postpones by two people, and executes late, by its command lines', async () => {
    const dc = ['--dc', idOf(0)];
    expect((await as(0, 'cutover', 'show', ...dc)).out).toContain(`${idOf(0)}: none`);
    expect(await as(0, 'cutover', 'postpone', ...dc, '--to', '2098-11-03', '--reason', 'x')).toMatchObject({
      code: 6,
      err: expect.stringContaining('signups.cutover'),
    });
    await fleet.control(`set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now();
      update credit_rollout_control.data_centers set cutover_at = '2098-10-30', cutover_local = '2098-10-30T00:00:00 UTC', stage = stage`);
    expect(JSON.parse((await as(0, 'cutover', '--json')).out).data_centers).toMatchObject([
      { state: 'planned' },
      { state: 'planned' },
    ]);
    expect((await as(0, 'cutover', 'postpone', ...dc, '--to', '2098-11-03')).err).toContain('--reason');
    expect((await as(0, 'cutover', 'postpone', ...dc, '--reason', 'x')).err).toContain('--withdraw');
    const proposed = JSON.parse(
      (await as(0, 'cutover', 'postpone', ...dc, '--to', '2098-11-03', '--reason', 'late', '--json')).out,
    );
    expect(proposed).toMatchObject({ state: 'proposed', to_local: '2098-11-03T00:00:00 UTC', approver: null });
    expect(proposed.next).toContain(`approve ${proposed.postponement_id}`);
    expect((await as(0, 'approve', proposed.postponement_id)).code).toBe(7);
    expect(await as(1, 'approve', proposed.postponement_id)).toMatchObject({
      code: 0,
      out: expect.stringContaining('applied'),
    });
    const shown = await as(0, 'cutover', 'show', ...dc);
    expect(shown.out).toContain('2098-11-03 00:00:00 UTC');
    expect(shown.err).toContain(`2098-11-03T00:00:00 UTC was approved as ${proposed.postponement_id}`);
    expect((await as(0, 'cutover', 'execute', ...dc, '--execute')).err).toContain('--reason');
    expect((await as(0, 'cutover', 'execute', ...dc, '--reason', 'x')).code).toBe(6);
    await fleet.control(`set local session_replication_role = replica;
      update credit_rollout_control.data_centers set cutover_at = now() - interval '1 hour', stage = 'done'`);
    const dry = await as(0, 'cutover', 'execute', ...dc, '--reason', 'x', '--exit-code');
    expect(dry).toMatchObject({ code: 2, out: expect.stringContaining('Nothing was changed') });
    expect(await as(0, 'cutover', 'execute', ...dc, '--execute', '--reason', 'x')).toMatchObject({
      code: 0,
      out: expect.stringContaining('latched'),
    });
    const again = JSON.parse((await as(0, 'cutover', 'execute', ...dc, '--reason', 'x', '--json')).out);
    expect(again).toMatchObject({ pending: false, next: null });
    const moved = await as(0, 'cutover', 'postpone', ...dc, '--to', '2099-01-01', '--reason', 'x');
    expect(moved.err).toContain('cannot be postponed');
    expect(moved.err).toContain(`cutover reverse ${dc.join(' ')} --to WHEN`);
    expect((await as(0, 'cutover', 'reverse', ...dc, '--to', '2098-12-01')).err).toContain('--reason');
    expect((await as(0, 'cutover', 'reverse', ...dc, '--reason', 'x')).err).toContain('--withdraw');
    const reverse = ['cutover', 'reverse', ...dc, '--reason', 'it bills wrongly'];
    const first = JSON.parse((await as(0, ...reverse, '--to', '2098-12-01', '--json')).out);
    expect(first).toMatchObject({ state: 'proposed', to_local: '2098-12-01T00:00:00 UTC', approver: null });
    expect(first.next).toContain(`approve ${first.reversal_id}`);
    expect((await as(1, ...reverse, '--withdraw')).out).toContain(`${first.reversal_id}: reversed`);
    const { reversal_id: reversal } = JSON.parse((await as(0, ...reverse, '--to', '2098-12-02', '--json')).out);
    expect((await as(0, 'approve', reversal)).code).toBe(7);
    expect(await as(1, 'approve', reversal)).toMatchObject({ code: 0, out: expect.stringContaining('applied') });
    const after = await as(0, 'cutover', 'show', ...dc);
    expect(after.out).toContain('planned');
    expect(after.out).toContain(`${reversal}: reversed`);
    expect(after.err).toContain(`2098-12-02T00:00:00 UTC was approved as ${reversal}`);
    const document = JSON.parse((await as(0, 'cutover', ...dc, '--json')).out);
    expect(document.data_centers[0].reversals).toMatchObject([
      { state: 'withdrawn' },
      { reversal_id: reversal, state: 'applied' },
    ]);
  });
});
