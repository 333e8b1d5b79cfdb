// From the configuration to a receiver: a scheduler of the command line tells what an operator did, and `webhooks` shows
// what was not taken and sends it again.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/run-cli.js';
import { type Receiver, startReceiver } from '../../engine/webhooks/receiver.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { captureIo, runCommand } from '../captured-io.js';

let folder = '';
let config = '';
let fleet: Fleet;
let receiver: Receiver;
let stop: (() => Promise<number>) | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-webhooks-'));
  config = join(folder, 'rollout.config.yaml');
  fleet = await createFleet({ orgs: 5, queue: 'postgres' });
  receiver = await startReceiver();
  vi.stubEnv('OPS_WEBHOOK_SECRET', `whsec_${Buffer.from(receiver.webhook.key ?? []).toString('base64')}`);
  const { dataCenter, url } = fleet.cell(0);
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nqueue: "${fleet.queueUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\nrollout: { batchSize: 100 }\ndataCenters:\n  - { id: ${dataCenter.id}, zone: ${dataCenter.zone}, database: "${url}", source: public.orgs }\nwebhooks:\n  - { name: ops, url: "${receiver.webhook.url}", secret: "\${OPS_WEBHOOK_SECRET}", link: "https://wiki.example/eu" }\n`,
  );
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await receiver.close();
  await fleet.drop();
  await rm(folder, { recursive: true });
});

async function startScheduler(): Promise<void> {
  const io = captureIo();
  const running = runCli(['scheduler', '--config', config], io);
  stop = async () => {
    io.interrupt('SIGINT');
    return running;
  };
  await waitFor('the scheduler', async () => io.output().includes('scheduler: running'));
}
const run = (...args: readonly string[]) => runCommand(...args, '--config', config);
/** The same with another URL of the webhook. */
async function runWith(url: string, ...args: readonly string[]): ReturnType<typeof run> {
  const other = join(folder, 'other.yaml');
  await writeFile(other, (await readFile(config, 'utf8')).replace(receiver.webhook.url, url));
  return runCommand(...args, '--config', other);
}
const dc = (): string => fleet.cell(0).dataCenter.id;

describe('webhooks', () => {
  test('are told what an operator does, signed, with the command that goes on', async () => {
    expect((await run('webhooks')).out).toContain('no scheduler has been seen with it yet');
    await startScheduler();
    await waitFor('the webhook to be known', async () =>
      (await run('webhooks', 'list')).out.includes('nothing delivered'),
    );
    await run('apply', '--dc', dc(), '--execute', '--reason', 'a test');
    await run('pause', '--dc', dc(), '--reason', 'a test');
    const pause = await waitFor('the pause', async () => receiver.received.find(({ data }) => data.code === 'paused'));
    expect(pause).toMatchObject({ type: 'hold.began', isSigned: true });
    expect(pause.text).toContain(`${dc()} is not moving since `);
    expect(pause.text).toContain(`Next: credit-rollout resume --dc ${dc()}\nhttps://wiki.example/eu`);
    await run('resume', '--dc', dc(), '--reason', 'a test');
    await waitFor('its end', async () =>
      receiver.received.some(({ type, data }) => type === 'hold.ended' && data.code === 'paused'),
    );
    expect((await run('webhooks')).out).toMatch(/^✔ ops: last delivered .*; nothing waits$/mu);
  });

  test('that take nothing are named by status and doctor, and get it again on request', async () => {
    receiver.answer(422);
    await startScheduler();
    await run('pause', '--dc', dc(), '--reason', 'a test');
    await waitFor('status to name it', async () =>
      (await run('status', '--within', '60')).out.includes('Webhook ops takes no message since'),
    );
    expect((await run('doctor')).out).toContain('webhook ops takes no message since');
    await stop?.();
    await fleet.control(`update credit_rollout_control.webhook_deliveries set state = 'dead', error = 'http_422'
      where state = 'waiting'`);
    const preview = await run('webhooks', 'resend', '--to', 'ops');
    expect(preview).toMatchObject({ code: 0 });
    expect(preview.out).toContain('Nothing was changed. To do it:');
    expect(await run('webhooks', 'resend', '--to', 'ops', '--execute')).toMatchObject({ code: 1 });
    receiver.answer(204);
    const before = receiver.received.length;
    expect((await run('webhooks', 'resend', '--to', 'ops', '--execute', '--reason', 'it is back')).out).toContain(
      'will be sent again',
    );
    await startScheduler();
    await waitFor('what was given up', async () =>
      receiver.received.slice(before).some(({ data }) => data.code === 'paused'),
    );
  });

  test('are asked by doctor whether their host answers, and get no message for it', async () => {
    const before = receiver.received.length;
    expect((await run('doctor')).out).toContain('the host of webhook ops answers; no message was sent');
    expect(receiver.received.length).toBe(before);
    expect((await runWith('https://receiver.invalid/secret', 'doctor')).out).toContain(
      'webhook ops: the host of its URL has no address',
    );
    const { port } = new URL(receiver.webhook.url);
    expect((await runWith(`https://127.0.0.1:${port}/secret`, 'doctor')).out).toMatch(/no\s+certificate|not_reached/u);
  });

  test('that are wrong keep a scheduler from saying that it runs, and are an error to doctor', async () => {
    const ended = await runWith('http://wiki.example/secret', 'scheduler');
    expect(ended).toMatchObject({ code: 1, err: expect.stringContaining('webhooks.ops.url has http:// and leads to') });
    expect(ended.out + ended.err).not.toMatch(/running|secret/u);
    const found = await runWith('http://wiki.example/secret', 'doctor');
    expect([found.code, found.out]).toEqual([1, expect.stringContaining('webhooks.ops.url has http:// and leads to')]);
  });

  test('a port that is taken is the only thing that a scheduler complains of', async () => {
    const { port } = new URL(receiver.webhook.url);
    const { code, err } = await run('scheduler', '--listen', `127.0.0.1:${port}`);
    expect([code, err.match(/\[\w+\]/gu)]).toEqual([1, ['[listen_refused]']]);
  });

  test('bad input changes nothing and says what would be right', async () => {
    expect((await run('webhooks', 'resend', '--to', 'nowhere')).err).toMatch(/\[webhook_unknown\].*there are: ops/su);
    expect((await run('webhooks', 'resend', 'x', '--to', 'ops')).err).toContain('It must be the number of an event');
    expect((await run('webhooks', 'resend', '999999', '--to', 'ops')).out).toContain(
      'There is nothing to send again. What waits is sent at its next attempt.',
    );
    vi.stubEnv('OPS_WEBHOOK_SECRET', undefined);
    const { code, err } = await run('scheduler');
    expect([code, err]).toEqual([1, expect.stringMatching(/missing_environment_variable.*OPS_WEBHOOK_SECRET/su)]);
  });
});
