// `status` answers within two seconds, whatever is down or hangs: a cell, the control database, the queue.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createTap, type Tap } from '../../support/tap.js';
import { waitFor } from '../../support/wait.js';
import { captureIo, type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let taps: Readonly<Record<'control' | 'near' | 'far', Tap>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-status-'));
  fleet = await createFleet({ cells: [{}, {}], orgs: 20 });
  const [near, far] = [fleet.cell(0), fleet.cell(1)];
  taps = {
    control: await createTap(fleet.controlUrl),
    near: await createTap(near.url),
    far: await createTap(far.url),
  };
  await fleet.apply(near, far);
  const cells = [near, far].map(
    ({ dataCenter: { id, zone } }, n) =>
      `  - { id: ${id}, zone: ${zone}, database: "${[taps.near, taps.far][n]?.url}", source: public.orgs }\n`,
  );
  await writeFile(
    join(folder, 'rollout.config.yaml'),
    `controlDatabase: "${taps.control.url}"\nqueue: "redis://127.0.0.1:1"\n` +
      `rateCard: ${resolve('src/sample/rate-card.yaml')}\ndataCenters:\n${cells.join('')}`,
  );
}, 60_000);
afterEach(() => {
  for (const tap of Object.values(taps)) tap.open();
});
afterAll(async () => {
  for (const tap of Object.values(taps)) await tap.close();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

/** What it printed, and after how many ms. */
async function status(...args: readonly string[]): Promise<RanCommand & { readonly tookMs: number }> {
  const began = performance.now();
  const ran = await runCommand('status', ...args, '--config', join(folder, 'rollout.config.yaml'));
  return { ...ran, tookMs: performance.now() - began };
}
const unread = (out: string): number => out.match(/its database cannot be read: \w+/gu)?.length ?? 0;

describe('status', () => {
  test('shows every cell while all answer, with the queue down', async () => {
    const { code, out } = await status('--within', '20');
    expect([code, unread(out)]).toEqual([0, 0]);
  });

  test.each([
    ['is down', (tap: Tap) => tap.reject()],
    ['takes connections and says nothing, as a stopped server', (tap: Tap) => tap.silence()],
  ])('answers in two seconds where a cell %s, and shows the other', async (_, fail) => {
    fail(taps.far);
    const { code, out, tookMs } = await status();
    expect(tookMs).toBeLessThan(2_000);
    expect([code, unread(out)]).toEqual([0, 1]);
    expect(out).toContain(fleet.cell(0).dataCenter.id);
  });

  test.each([
    ['is down', (tap: Tap) => tap.reject()],
    ['says nothing', (tap: Tap) => tap.silence()],
  ])('says within two seconds that control %s', async (_, fail) => {
    fail(taps.control);
    const { code, err, tookMs } = await status();
    expect(tookMs).toBeLessThan(2_000);
    expect(code).toBeGreaterThan(0);
    expect(err).toMatch(/^error \[(?:database_unreachable|cell_busy)\] The control database: its database /u);
  });

  test('shows a scheduler that cannot use its queue as one that runs: it takes its steps without', async () => {
    const io = captureIo();
    const running = runCli(['scheduler', '--config', join(folder, 'rollout.config.yaml')], io);
    await waitFor('a tick', async () => (await status('--within', '20')).out.includes('1 scheduler alive'));
    const blamed =
      /A scheduler cannot use the queue \(queue_unreachable\), since [-0-9: ]+ UTC\. Work goes on without it/u;
    await waitFor('its queue in status', async () => blamed.test((await status('--within', '20')).out));
    const found = await runCommand('doctor', '--config', join(folder, 'rollout.config.yaml'));
    expect(found.out).toMatch(/a scheduler cannot use its queue since \S+ \(queue_unreachable\)/u);
    await waitFor('a warning', async () => io.errors().includes('[queue_unreachable] The queue at 127.0.0.1:1 cannot'));
    io.interrupt('SIGTERM');
    expect(await running).toBe(0);
  });
});
