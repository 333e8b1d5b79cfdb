// Commands and processes with the logins that docs/how-to/install-a-fleet.md makes, and no more: each reading command
// as each person who may use it, and what the processes say of themselves over HTTP.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { captureIo, type RanCommand, runCommand } from '../cli/captured-io.js';
import { type DocumentedLogin, type DocumentedLogins, makeDocumentedLogins } from '../support/documented-logins.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { waitFor } from '../support/wait.js';

let folder = '';
let fleet: Fleet;
let logins: DocumentedLogins;
let dc = '';

/** Orgs 1 to 3: standard, paid, 300 agents, 150,000 credits. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-documented-'));
  fleet = await createFleet({ cells: [{ orgs: [{}, {}, {}] }], queue: 'postgres' });
  logins = await makeDocumentedLogins(fleet);
  dc = fleet.cell(0).dataCenter.id;
  await fleet.apply(fleet.cell(0));
  expect(await fleet.drive()).toEqual(['done']);
  await fleet.cell(0).sql(`update credit_rollout.enforcement set credits = 'on', concurrency = 'on'`);
});
afterAll(async () => {
  await logins?.drop();
  await fleet?.drop();
  await rm(folder, { recursive: true });
});

/** The configuration of a login, which gives its URLs and no others. */
async function writeConfig(login: DocumentedLogin): Promise<string> {
  const path = join(folder, `${login}.yaml`);
  const { url, dataCenter } = fleet.cell(0);
  const control = logins.as(login, fleet.controlUrl);
  await writeFile(
    path,
    `controlDatabase: "${control}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n  - { id: ${dc}, zone: ${dataCenter.zone}, database: "${logins.as(login, url)}", source: public.orgs }\n`,
  );
  return path;
}

async function run(login: DocumentedLogin, ...args: readonly string[]): Promise<RanCommand> {
  return runCommand(...args, '--config', await writeConfig(login));
}

/** Serves while `act` asks; `said`: what the process prints of the address at which it listens. */
async function serve(
  login: DocumentedLogin,
  args: readonly string[],
  said: RegExp,
  act: (address: string) => Promise<void>,
): Promise<void> {
  const io = captureIo();
  const ended = runCli([...args, '--config', await writeConfig(login)], io);
  try {
    const address = await waitFor('an address', async () => said.exec(io.output())?.[1]);
    await act(address);
  } finally {
    io.interrupt('SIGTERM');
  }
  expect(await ended, io.errors()).toBe(0);
}

const REFUSED = /\[not_permitted\]|\[internal\]|42501/u;

// those of control only, and those that ask the cell too, with what docs/reference/roles.md says that each is given
const OF_CONTROL = [
  ['status'],
  ['calendar'],
  ['plans'],
  ['settings', 'show'],
  ['cutover', 'show'],
  ['audit'],
  ['reconcile', '--history'],
] as const;
const ofCell = (): readonly (readonly string[])[] => [
  ['why', '1', '--dc', dc],
  ['verify', '--dc', dc],
  ['quarantine', '--dc', dc],
  ['usage', '--dc', dc],
  ['usage', '1', '--dc', dc],
  ['exception', 'list', '--dc', dc],
  ['meter', 'enforce', '--dc', dc],
];

describe('with the documented logins', () => {
  test('a viewer of control reads all of it', async () => {
    for (const args of OF_CONTROL) {
      const { code, err } = await run('dashboard', ...args);
      expect(err, args.join(' ')).not.toMatch(REFUSED);
      expect([0, 8], args.join(' ')).toContain(code);
    }
  });

  test('each person reads control and the cell', async () => {
    for (const login of ['alice', 'bob'] as const)
      for (const args of [...OF_CONTROL, ...ofCell()]) {
        const { out, err } = await run(login, ...args);
        expect(out + err, `${login}: ${args.join(' ')}`).not.toMatch(REFUSED);
      }
  });

  test.each([
    ['rollout_scheduler', ['scheduler'], ['control_reachable 1', 'frozen{data_center="DC"} 0']],
    ['rollout_worker', ['worker'], []],
  ] as const)('%s tells Prometheus of its cells', async (login, args, wanted) => {
    const listening = /listening: (http:\S+?)\/livez/u;
    await serve(login, [...args, '--listen', '127.0.0.1:0'], listening, async (address) => {
      const metrics = await waitFor('the cell in the metrics', async () => {
        const text = await (await fetch(`${address}/metrics`)).text();
        return text.includes(`cell_reachable{data_center="${dc}"} 1`) && text;
      });
      for (const line of wanted) expect(metrics).toContain(line.replace('DC', dc));
    });
  });

  test('a meter holds orgs to their credits, and records what they used', async () => {
    const serving = /at (http:\S+), counting/u;
    await serve('rollout_meter', ['meter', '--dc', dc, '--listen', '127.0.0.1:0'], serving, async (address) => {
      const read = async () => (await fetch(`${address}/health`)).json();
      expect(await read()).toMatchObject({ ok: true });
      const acquire = async (records: number) => {
        const body = JSON.stringify({ orgId: '1', kind: 'delete', records });
        const headers = { 'content-type': 'application/json' };
        return (await fetch(`${address}/acquire`, { method: 'POST', headers, body })).status;
      };
      const statuses: number[] = [];
      for (let at = 0; at < 7; at += 1) statuses.push(await acquire(5000));
      expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
      expect((await fetch(`${address}/orgs/1/api-details`)).status).toBe(200);
      expect(await read()).toMatchObject({ ok: true, allowedUnconfirmed: 0 });
    });
    const used = await fleet.cell(0).sql('select credits::text from credit_rollout.usage_days');
    expect(used).toEqual([{ credits: '150000' }]);
  });

  test('a meter whose login may not read the cell does not serve', async () => {
    const { code, err } = await run('dashboard', 'meter', '--dc', dc, '--listen', '127.0.0.1:0');
    expect(err).toMatch(/\[(?:not_permitted|role_missing)\]/u);
    expect(code).toBe(7);
  });
});
