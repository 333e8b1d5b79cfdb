// What a command shows of an error that a cell raised with org data in every part: nothing of it, in text and in JSON;
// with --debug all of it, on standard error, and marked. And what other users of the machine see of a command.
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEmptyUsage } from '../../src/domain/meter/usage.js';
import { recordUsage } from '../../src/engine/usage/record-usage.js';
import { runCommand } from '../cli/captured-io.js';
import { waitFor } from '../support/wait.js';
import { createScene, type ResidencyScene } from './scene.js';
import { findMarkers, readTitle } from './search.js';
import { CLASSES, PLAIN_ID, spoil, spoilerId } from './spoil.js';

const DEBUG = 'debug: text of a database server. It may hold data of orgs: do not pass it on.';

let scene: ResidencyScene;
beforeAll(async () => {
  scene = await createScene('postgres');
});
afterAll(() => scene.drop());

const run = (...args: readonly string[]) => runCommand(...args, '--config', scene.config);
const leaks = (text: string): readonly string[] => findMarkers([{ where: 'output', text }], scene.markers);

/** Doctor names the editions that the rate card does not have: that is what it is asked for. */
const withoutEditions = (text: string): string => text.replaceAll(`${scene.markers.word}-edition`, '');

const FORMS: readonly (readonly string[])[] = [[], ['--json']];
const BOTH: readonly string[] = ['P0001', '42501'];

describe('an error of a cell', () => {
  test.each(CLASSES)('%s in the row of an org sets it aside, and shows nothing of it', async (as) => {
    await spoil(scene.cell, 'view', as);
    const { code, out, err } = await run('plan', '--dc', scene.dc);
    await spoil(scene.cell, 'view', null);
    expect(code).toBe(0);
    expect(out).toMatch(/unreadable/u);
    expect(leaks(out + err)).toEqual([]);
  });

  test.each(CLASSES)('%s: shows nothing of an org, in text and in JSON', async (as) => {
    await spoil(scene.cell, 'protect', as);
    // both show one document: some classes in one form, some in the other
    const forms = BOTH.includes(as) ? FORMS : [FORMS[CLASSES.indexOf(as) % 2] ?? []];
    for (const form of forms) {
      const { code, out, err } = await run('protect', PLAIN_ID, '--dc', scene.dc, '--reason', 'a test', ...form);
      expect(code).toBeGreaterThan(0);
      expect(leaks(out + err)).toEqual([]);
      if (form.length > 0)
        expect(JSON.parse(out)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
    }
  });

  test('that doctor finds names the code, and nothing of an org', async () => {
    await spoil(scene.cell, 'view', 'P0001');
    await spoil(scene.cell, 'bake', 'P0001');
    const { out, err } = await run('doctor', '--dc', scene.dc);
    expect(out).toContain('P0001');
    expect(leaks(withoutEditions(out + err))).toEqual([]);
    const shown = await run('doctor', '--dc', scene.dc, '--debug', '--json');
    expect(leaks(withoutEditions(shown.out))).toEqual([]);
    await spoil(scene.cell, 'bake', null);
  });

  test('is shown with --debug, on standard error, with a line that says what it is', async () => {
    await spoil(scene.cell, 'protect', 'P0001');
    const { out, err } = await run('protect', PLAIN_ID, '--dc', scene.dc, '--json', '--debug');
    await spoil(scene.cell, 'protect', null);
    expect(leaks(out)).toEqual([]);
    const lines = err.split('\n');
    const at = lines.indexOf(DEBUG);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(leaks(lines.slice(0, at).join('\n'))).toEqual([]);
    for (const part of ['P0001', 'detail', 'hint', 'constraint'])
      expect(lines.slice(at).join('\n')).toContain(`  ${part}: `);
    expect(err).toContain(`${scene.markers.word}-hint`);
  });

  test('that nobody caught ends the process without its text', async () => {
    const { code, out, err } = await scene.crash();
    expect(code).toBe(1);
    expect(err).toContain('[database_failed]');
    expect(leaks(out + err)).toEqual([]);
  });

  test('leaves nothing outside the cell, with --debug neither', async () => {
    expect(await scene.search()).toEqual([]);
  });
});

describe('usage and exceptions of an org', () => {
  test('are shown to who asks, and nowhere outside the cell', async () => {
    await spoil(scene.cell, 'view', null);
    const { cell, sql } = scene.cell;
    const org = spoilerId(scene.markers);
    const [today] = await sql(`select (now() at time zone c.zone)::date::text as day from credit_rollout.cell c`);
    const kinds = { [`${scene.markers.word}-kind`]: { calls: 1, credits: 1 } };
    await recordUsage(cell, [{ ...createEmptyUsage(org, String(today?.day), 'legacy'), calls: 7, kinds }]);
    const [execute, at] = [
      ['--execute', '--reason', 'a test'],
      ['--dc', scene.dc],
    ];
    const shown = [
      await run('usage', org, ...at),
      await run('usage', ...at),
      await run('exception', 'add', org, ...at, '--text', `${scene.markers.word}-text`, ...execute),
      await run('exception', 'list', ...at),
      await run('exception', 'answer', org, ...at, '--decline', `${scene.markers.word}-answer`, ...execute),
    ];
    expect(shown.map(({ code, err }) => [code, leaks(err)])).toEqual(shown.map(() => [0, []]));
    expect(leaks(shown[0]?.out ?? '').length * leaks(shown[3]?.out ?? '').length).toBeGreaterThan(0);
    expect(await scene.search()).toEqual([]);
  });

  test('show nothing of an error of a cell', async () => {
    await spoil(scene.cell, 'view', 'P0001');
    const { code, out, err } = await run('usage', spoilerId(scene.markers), '--dc', scene.dc, '--json');
    expect([code > 0, leaks(out + err)]).toEqual([true, []]);
  });
});

describe('a meter', () => {
  test('says of an org only to who asks, and brings what it counted into the cell and nowhere else', async () => {
    await spoil(scene.cell, 'view', null);
    const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-meter-'));
    const socketPath = join(folder, 'meter.sock');
    const meter = scene.start('meter', '--dc', scene.dc, '--listen', `unix:${socketPath}`);
    await waitFor('the meter', () => meter.output().includes('▶ meter: serving'));
    const orgId = spoilerId(scene.markers);
    const call = { orgId, kind: `${scene.markers.word}-unknown`, callId: `${scene.markers.word}-call` };
    const post = (path: string, body: unknown) => ask({ socketPath, path, method: 'POST' }, JSON.stringify(body));
    expect((await post('/acquire', call)).status).toBe(200);
    expect((await post('/release', { orgId, callId: call.callId })).text).toBe('{"released":1,"unknown":0}');
    const path = `/orgs/${orgId}/api-details`;
    expect(leaks((await ask({ socketPath, path })).text)).not.toEqual([]);
    await spoil(scene.cell, 'view', 'P0001');
    const failed = await ask({ socketPath, path });
    const others = [failed, await post('/acquire', { orgId: 'another', kind: 'get' }), await post('/acquire', 7)];
    expect(others.map(({ status, text }) => [status, leaks(text)])).toEqual([
      [500, []],
      [200, []],
      [400, []],
    ]);
    // as a proxy asks: in headers
    const headers = { 'x-org-id': orgId, 'x-call-kind': call.kind, 'x-call-id': call.callId, 'x-call-records': orgId };
    const asked = await Promise.all([
      ask({ socketPath, path: '/authorize', headers }),
      ask({ socketPath, path: '/health' }),
    ]);
    expect(asked.map(({ status, text }) => [status, leaks(text)])).toEqual([
      [400, []],
      [200, []],
    ]);
    process.kill(meter.pid, 'SIGTERM');
    const { code, out, err } = await meter.ended;
    expect([code, leaks(out + err)]).toEqual([0, []]);
    // 7 were in the cell before
    expect(await scene.cell.sql(`select calls::int from credit_rollout.usage_days where org_id = $1`, [orgId])).toEqual(
      [{ calls: 8 }],
    );
    expect(await scene.search()).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

interface Reply {
  readonly status: number | undefined;
  readonly text: string;
}

const ask = (options: RequestOptions, body?: string): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const asked = request({ agent: false, ...options }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    asked.on('error', reject).end(body);
  });

describe('a command about an org', () => {
  test('does not show its id to other users of the machine', async () => {
    await spoil(scene.cell, 'view', null);
    const client = new pg.Client({ connectionString: scene.cell.url });
    await client.connect();
    await client.query('begin; lock table credit_rollout.cell in access exclusive mode');
    const why = scene.start('why', spoilerId(scene.markers), '--dc', scene.dc);
    expect(leaks(await readTitle(why.pid))).not.toEqual([]);
    await waitFor('its title', async () => (await readTitle(why.pid)).startsWith('credit-rollout '));
    expect(leaks(await readTitle(why.pid))).toEqual([]);
    await client.end();
    const { out } = await why.ended;
    expect(out).toContain(spoilerId(scene.markers));
  });
});
