// `plans`, `plans show` and `plans diff` on real Postgres: what each prints, returns and writes.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { type RanCommand, runCommand } from '../captured-io.js';

let folder = '';
let fleet: Fleet;
let config = '';
let first = '';
let second = '';
const run = (...args: readonly string[]): Promise<RanCommand> => runCommand(...args, '--config', config);

/** The first plan is applied, with one org changed before that; the second is not. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-plans-'));
  fleet = await createFleet({ cells: [{ zone: 'Asia/Kolkata' }, {}], orgs: 400 });
  config = join(folder, 'rollout.config.yaml');
  const dataCenters = fleet.cells.map(
    ({ dataCenter: { id, zone }, url }) => `  - { id: ${id}, zone: ${zone}, database: "${url}", source: public.orgs }`,
  );
  await writeFile(
    config,
    `controlDatabase: "${fleet.controlUrl}"\nrateCard: ${resolve('src/sample/rate-card.yaml')}\nrollout: { batchSize: 100 }\ndataCenters:\n${dataCenters.join('\n')}\n`,
  );
  const cell = fleet.cell(0);
  first = (await fleet.plan(cell)).planId ?? '';
  await cell.sql('update public.orgs set agents = 401 where org_id = 204');
  await fleet.applyPlan(cell, first);
  await fleet.drive();
  await cell.sql('update public.orgs set agents = 444 where org_id = 304');
  second = (await fleet.plan(cell)).planId ?? '';
  await fleet.plan(fleet.cell(1));
}, 60_000);
afterAll(async () => {
  await fleet.drop();
  await rm(folder, { recursive: true });
});

describe('plans', () => {
  test('lists every plan with its approval and what it led to', async () => {
    const { code, out } = await run('plans');
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines.find((line) => line.startsWith(first))).toMatch(
      / 400 +398 .* inside .* used by run 1 {2}run 1, done$/u,
    );
    expect(lines.find((line) => line.startsWith(second))).toMatch(/ inside .* none {6,}–$/u);
  });

  test('takes one data center, and a limit', async () => {
    const { out } = await run('plans', '--dc', fleet.cell(0).dataCenter.id, '--limit', '1', '--json');
    expect(JSON.parse(out)).toMatchObject({
      plans: [{ plan_id: second, orgs: 400, touched: 1, approval: 'none', run_id: null, inside_rails: true }],
      more: true,
      unreachable: [],
    });
  });

  test('rejects a data center that does not exist, and a word that is none of its commands', async () => {
    expect(await run('plans', '--dc', 'mars')).toMatchObject({ code: 1, err: expect.stringContaining('mars') });
    expect((await run('plans', 'shew', first)).code).toBe(1);
  });
});

describe('plans show', () => {
  test('shows the report again, its approval, and predicted against actual', async () => {
    const { code, out } = await run('plans', 'show', first);
    expect(code).toBe(0);
    expect(out).toContain(`Plan ${first} for`);
    expect(out).toMatch(/Approval: used by run 1, given by its guard-rails/u);
    expect(out).toMatch(/Run 1: done/u);
    expect(out).toMatch(/orgs written +398 +398 +0 %/u);
    expect(out).toMatch(/stale orgs left +0 +0/u);
    expect(out).toMatch(/undecidable orgs +2 +2/u);
    expect(out).not.toContain('STALE ORG');
  });

  test('lists stale orgs for who asks', async () => {
    const { out } = await run('plans', 'show', first, '--stale');
    expect(out).toMatch(/204 +changed +applied +agents \d+ → 401, .*total_credits [\d,]+ → [\d,]+/u);
  });

  test('is one document with --json', async () => {
    const document = JSON.parse((await run('plans', 'show', first, '--stale', '--json')).out);
    expect(document).toMatchObject({
      plan_id: first,
      touched: 398,
      approvals: [{ state: 'used', used_by_run: '1' }],
      outcome: { run_id: '1', state: 'done', actual: { touched: 398, stale: 0 }, error_percent: { touched: 0 } },
      stale_orgs: [{ org_id: '204', reason: 'changed', found: { agents: '401' }, settled: 'applied' }],
      files: [],
    });
    expect(document.digest).toMatch(/^[0-9a-f]{64}$/u);
  });

  test('shows a plan that was not applied', async () => {
    expect((await run('plans', 'show', second)).out).toMatch(/Approval: none\n {2}Not applied/u);
    const document = JSON.parse((await run('plans', 'show', second, '--stale', '--json')).out);
    expect(document).toMatchObject({ approvals: [], outcome: null, stale_orgs: null });
  });

  test('writes its report', async () => {
    const dir = join(folder, 'report');
    const { code, out } = await run('plans', 'show', first, '--out', dir);
    expect(code).toBe(0);
    expect(out).toContain(`Wrote ${join(dir, 'report.html')}`);
    expect((await readdir(dir)).toSorted()).toEqual(['report.html', 'report.json']);
    const [plan] = JSON.parse(await readFile(join(dir, 'report.json'), 'utf8')).plans;
    expect(plan).toMatchObject({
      plan_id: first,
      outcome: {
        ...{ run_id: '1', state: 'done', predicted: { touched: 398 }, actual: { touched: 398, stale: 0 } },
        error_percent: { touched: 0, credits: expect.any(Number), duration: expect.any(Number) },
      },
    });
    const page = await readFile(join(dir, 'report.html'), 'utf8');
    expect(page).toMatch(
      /Run 1 followed this plan\..*<th scope="row">orgs written<\/th><td data-title="Predicted" class="number">398/su,
    );
  });

  test('writes no outcome of a plan that was not applied', async () => {
    const dir = join(folder, 'unapplied');
    await run('plans', 'show', second, '--out', dir);
    expect(JSON.parse(await readFile(join(dir, 'report.json'), 'utf8')).plans[0].outcome).toBeNull();
    expect(await readFile(join(dir, 'report.html'), 'utf8')).not.toContain('Predicted against actual');
  });

  test('writes nothing for a plan that does not exist', async () => {
    const dir = join(folder, 'nothing');
    const { code, err } = await run('plans', 'show', `${fleet.cell(0).dataCenter.id}-99`, '--out', dir);
    expect([code, err]).toEqual([1, expect.stringContaining('plan_unknown')]);
    await expect(readdir(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('rejects a plan of a data center that does not exist', async () => {
    expect(await run('plans', 'show', 'mars-1')).toMatchObject({ code: 1, err: expect.stringContaining('mars') });
  });
});

describe('plans diff', () => {
  test('shows how many orgs differ, why, and which the most', async () => {
    const { code, out } = await run('plans', 'diff', first, second);
    expect(code).toBe(0);
    expect(out).toMatch(/the same +398\n/u);
    expect(out).toMatch(/changed +2 .*\n +agents +2 /u);
    expect(out).toMatch(/304 +\+[\d,]+ +agents +agents \d+ → 444/u);
    expect(out).toMatch(/396 of the 398 same ones are written by only one of the plans/u);
  });

  test('is one document with --json', async () => {
    const document = JSON.parse((await run('plans', 'diff', first, second, '--json')).out);
    expect(document).toMatchObject({
      from: { plan_id: first, orgs: 400 },
      to: { plan_id: second },
      same: 398,
      changed: { orgs: 2 },
      causes: [{ causes: ['agents'], orgs: 2 }],
    });
    expect(document.largest.map((org: { org_id: string }) => org.org_id).toSorted()).toEqual(['204', '304']);
    expect(document.largest[0].changes).toContainEqual({
      column: 'agents',
      from: expect.any(String),
      to: expect.any(String),
    });
  });

  test('shows no causes where nothing differs', async () => {
    const { out } = await run('plans', 'diff', second, second);
    expect(out).toMatch(/the same +400\n/u);
    expect(out).not.toContain('WHAT CHANGED');
  });

  test('rejects plans of two data centers', async () => {
    const other = `${fleet.cell(1).dataCenter.id}-1`;
    const { code, err } = await run('plans', 'diff', first, other);
    expect([code, err]).toEqual([1, expect.stringContaining('different data centers')]);
  });
});
