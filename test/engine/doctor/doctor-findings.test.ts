// `doctor` as a whole, on real databases: a healthy fleet, faults that must not hide each other, the rate card, and
// what it reports of control.

import { afterEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/engine/doctor/finding.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { advise, command } from '../../../src/kernel/advice.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { changeCard } from '../../domain/rate-card/sample-card.js';
import { openTestCell } from '../../support/open-context.js';
import { runAsAdmin } from '../../support/postgres.js';
import {
  checkCells,
  closeAll,
  closers,
  directory,
  makeCell,
  makeConfig,
  makeControl,
  of,
  shareKey,
  unreachableControl,
} from './doctor-scene.js';

afterEach(closeAll);

describe('runDoctorChecks', () => {
  test('finds nothing to repair in a healthy cell with its control', async () => {
    const cell = await makeCell({ orgs: [{}, { edition: 'free', paid: false }] });
    const config = makeConfig([cell], 'rollout: { notBefore: 2025-10-06 }\nsignups: { cutover: 2025-10-30T08:00 }\n');
    const { control } = await makeControl(config);
    await shareKey(control, cell);
    const findings = await checkCells([cell], { control, config });
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([]);
    expect(of(findings, 'control').map(({ check }) => check)).toEqual([
      'connection',
      'version',
      'primary',
      'writable',
      'synchronous_commit',
      'settings',
      'passwords',
      'prepared transactions',
      'schema',
      'owner',
      'logins',
      'policy',
      "schedulers' queue",
      "schedulers' ticks",
      'locks',
    ]);
    expect(of(findings, cell.dataCenter.id).map(({ check }) => check)).toEqual([
      'connection',
      'version',
      'primary',
      'writable',
      'right cell',
      'encoding',
      'synchronous_commit',
      'settings',
      'passwords',
      'prepared transactions',
      'clock',
      'zone',
      'instants',
      'instants',
      'source',
      'columns',
      'readable',
      'unique ids',
      'key ranges',
      'schema',
      'roles',
      'owner',
      'logins',
      'locks',
      'statements',
      'seals',
      'grants',
      'attached',
      'row-level security',
      'view code',
      'null ids',
      'editions',
      'inputs',
      'sign-ups',
      'change feed',
      'checks',
    ]);
  });

  test('names webhooks and schedulers that no living process renews', async () => {
    const cell = await makeCell({ init: 'left' });
    const { control, url } = await makeControl(makeConfig([cell]));
    await runAsAdmin(
      url,
      `set session_replication_role = replica;
       insert into credit_rollout_control.webhooks (webhook, seen_at) values ('gone', now() - interval '1 hour');
       insert into credit_rollout_control.schedulers (scheduler_id, seen_at) values ('a:1', now() - interval '2 hours')`,
    );
    const found = of(await checkCells([cell], { control }), 'control');
    expect(found.filter(({ level }) => level !== 'ok')).toMatchObject([
      { check: "schedulers' ticks", level: 'warning', found: expect.stringContaining('1 scheduler was not ended') },
      { check: 'webhooks', level: 'warning', found: expect.stringContaining('no scheduler has webhook gone') },
    ]);
  });

  test('lets no failure hide another: control, queue, card and one cell down', async () => {
    const [good, bad] = [await makeCell(), await makeCell()];
    const down = openTestCell('postgres://nobody@127.0.0.1:1/none', bad.dataCenter.id);
    closers.push(() => down.close());
    const findings = await checkCells([bad, good], {
      control: unreachableControl(),
      cells: directory(down, good.cell),
      card: () =>
        Promise.reject(new RolloutError('rate_card_not_found', { message: 'The rate card x cannot be read.' })),
      queueCheck: () => Promise.reject(new RolloutError('queue_pooled', { message: 'It is pooled.' })),
    });
    const broken = findings.filter(({ level }) => level === 'error');
    expect(broken.map(({ subject, code }) => [subject, code])).toEqual([
      ['control', 'database_unreachable'],
      ['queue', 'queue_pooled'],
      ['rate card', 'rate_card_not_found'],
      [bad.dataCenter.id, 'database_unreachable'],
    ]);
    expect(broken.every(({ fix }) => fix !== null)).toBe(true);
    expect(of(findings, good.dataCenter.id).map(({ check }) => check)).toContain('null ids');
  });

  test('turns whatever is thrown into a finding that shows no secret', async () => {
    const cell = await makeCell();
    const findings = await checkCells([cell], {
      cells: directory(),
      queueCheck: () => Promise.reject(new TypeError('redis://user:secret@host is bad')),
      card: () => Promise.reject('a string'),
    });
    expect(of(findings, 'queue')).toMatchObject([
      { level: 'error', found: 'The queue: the check failed (TypeError).' },
    ]);
    expect(of(findings, 'rate card')).toMatchObject([
      { level: 'error', found: expect.stringContaining('no error object') },
    ]);
    expect(of(findings, cell.dataCenter.id)).toMatchObject([{ code: 'missing_environment_variable' }]);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });
});

describe('checkControl', () => {
  test('asks for init where the schema is missing, and where a data center is not known', async () => {
    const [cell, other] = [await makeCell(), await makeCell()];
    const { control } = await makeControl();
    const schema = async (): Promise<readonly Finding[]> =>
      of(await checkCells([cell, other], { control }), 'control').filter(({ check }) => check === 'schema');
    expect(await schema()).toMatchObject([
      { level: 'error', code: 'not_initialised', fix: advise`Run: ${command('init')}` },
    ]);
    await initControl({ control }, makeConfig([cell]));
    expect(await schema()).toMatchObject([
      { code: 'not_initialised', found: `it does not know ${other.dataCenter.id} yet` },
    ]);
  });

  test('warns of an instant that the configuration moved after it was pinned', async () => {
    const cell = await makeCell();
    const { id } = cell.dataCenter;
    const config = makeConfig([cell], 'rollout: { notBefore: 2025-10-07 }\n');
    const { control } = await makeControl(config);
    await shareKey(control, cell);
    const pin = `update credit_rollout_control.data_centers set not_before_at = '2025-10-06T00:00Z', not_before_local = '2025-10-06T00:00:00 UTC',
      cutover_at = '2025-10-30T00:00Z', cutover_local = '2025-10-30T00:00:00 UTC'`;
    await control.inTransaction((tx) => tx.raw(`set local session_replication_role = replica; ${pin}`));
    const warnings = async (): Promise<readonly Finding[]> =>
      of(await checkCells([cell], { control, config }), id).filter(({ level }) => level !== 'ok');
    expect(await warnings()).toEqual([]);
    await control.inTransaction((tx) =>
      tx.raw(
        'set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now()',
      ),
    );
    expect(await warnings()).toMatchObject([
      {
        level: 'warning',
        code: 'instants_pinned',
        found:
          'rollout.notBefore was pinned as 2025-10-06T00:00:00 UTC, the configuration has 2025-10-07T00:00:00 UTC; the pinned one applies',
      },
      {
        code: 'instants_pinned',
        found: expect.stringContaining(
          'signups.cutover was pinned as 2025-10-30T00:00:00 UTC, the configuration has none',
        ),
      },
    ]);
  });
});

describe('checkMixedRollout', () => {
  test('row 45: warns of moves while some data centers are on credits and others are not', async () => {
    const cells = [await makeCell(), await makeCell()];
    const [first, second] = cells.map(({ dataCenter }) => dataCenter.id);
    const { control } = await makeControl(makeConfig(cells));
    const moves = async (): Promise<readonly Finding[]> =>
      of(await checkCells(cells, { control }), 'control').filter(({ check }) => check === 'moves');
    expect(await moves()).toEqual([]);
    const finish = (id: string | undefined) =>
      control.inTransaction((tx) =>
        tx.raw('update credit_rollout_control.data_centers set done_at = now() where id = ?', [id ?? '']),
      );
    await finish(first);
    expect(await moves()).toMatchObject([
      { level: 'warning', found: expect.stringContaining(`mixed: ${first} on credits, ${second} not yet`) },
    ]);
    await finish(second);
    expect(await moves()).toEqual([]);
  });
});

describe('checkCard', () => {
  test('names every golden case that fails', async () => {
    const card = changeCard((spec) => (spec.edition === 'professional' ? { ...spec, base: 75_001n } : spec));
    const failed = of(await checkCells([await makeCell()], { card }), 'rate card');
    expect(failed.length).toBeGreaterThan(1);
    expect(failed[0]).toMatchObject({
      level: 'error',
      code: 'rate_card_case_failed',
      found: expect.stringContaining('G1'),
    });
  });
});
