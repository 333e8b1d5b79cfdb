// What each command says where something is missing: a login that may only read, a control database or a cell that
// cannot be reached, and a cell that was left behind when it moved. The tables are files beside this one.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { runCommand } from '../captured-io.js';
import { listLines } from '../every-command.js';

const NOWHERE = 'postgres://app:secret@127.0.0.1:1/nothing';
let folder = '';
let fleet: Fleet;
let people: TestPeople;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-every-'));
  fleet = await createFleet({ orgs: 20 });
  const { dataCenter } = fleet.cell(0);
  people = await createPeople(fleet, { name: 'viewer', roles: ['viewer'] });
  await fleet.control(
    `grant credit_rollout_${dataCenter.id.replaceAll('-', '_')}_reader to "${people.people[0]?.name}"`,
  );
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
}, 60_000);
afterAll(async () => {
  await people.drop();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

interface Urls {
  readonly control?: string | undefined;
  readonly cell?: string;
}

/** A line for each command: its exit code, and the code and the sentence of what it says. */
async function tell({ control = fleet.controlUrl, cell = fleet.cell(0).url }: Urls): Promise<string> {
  const { id, zone } = fleet.cell(0).dataCenter;
  const config = join(folder, 'rollout.config.yaml');
  await writeFile(
    config,
    `controlDatabase: "${control}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\n` +
      `dataCenters: [{ id: ${id}, zone: ${zone}, database: "${cell}", source: public.orgs }]\n`,
  );
  const told: string[] = [];
  for (const line of listLines(id, '4')) {
    const { code, out, err } = await runCommand(...line, '--config', config);
    const said = /\[\w+\] [^\n]+/u.exec(err + out)?.[0] ?? '';
    told.push(`${line.join(' ').replaceAll(id, 'in')} → ${code} ${said.replaceAll(id, 'in')}`.trim());
  }
  return `${told.join('\n')}\n`
    .replaceAll(/viewer_\w+/gu, 'viewer')
    .replaceAll(/test_control_\w+/gu, 'control')
    .replaceAll(/credit_rollout_\w+_(?=worker|planner|reader|fencer|operator|override|meter)/gu, 'credit_rollout_in_');
}

const asViewer = (url: string): string => {
  const own = new URL(url);
  own.username = people.people[0]?.name ?? '';
  own.password = 'secret';
  return own.href;
};

/** No command ends as if it had done what it could not, or with a bug of ours. */
const expectNoBug = (told: string): void => expect(told).not.toContain('[internal]');

test('to somebody who may only read', { timeout: 120_000 }, async () => {
  const told = await tell({ control: asViewer(fleet.controlUrl), cell: asViewer(fleet.cell(0).url) });
  expectNoBug(told);
  await expect(told).toMatchFileSnapshot('every-command-viewer.txt');
});

test('where control cannot be reached', { timeout: 120_000 }, async () => {
  const told = await tell({ control: NOWHERE });
  expectNoBug(told);
  await expect(told).toMatchFileSnapshot('every-command-no-control.txt');
});

test('where a cell cannot be reached', { timeout: 120_000 }, async () => {
  const told = await tell({ cell: NOWHERE });
  expectNoBug(told);
  await expect(told).toMatchFileSnapshot('every-command-no-cell.txt');
});

test('where a cell was left behind', { timeout: 120_000 }, async () => {
  await fleet.control(`begin; set local session_replication_role = replica;
    insert into credit_rollout_control.cell_proposals (data_center, kind, number, digest, author, proposed_at, approver, decided_at, state)
    values ('${fleet.cell(0).dataCenter.id}', 'adoption', 1, repeat('a', 64), 'alice', now(), 'bob', now(), 'approved'); commit`);
  const told = await tell({});
  expectNoBug(told);
  await expect(told).toMatchFileSnapshot('every-command-left-behind.txt');
});
