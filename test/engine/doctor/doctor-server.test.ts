// `doctor` on the servers themselves: version, standby, lost commits, clocks and zones, and instants that both sides
// must read alike.
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { parseLocalInstant } from '../../../src/domain/time/parse-instant.js';
import { checkInstant } from '../../../src/engine/doctor/check-calendar.js';
import { checkPrimary, checkVersion } from '../../../src/engine/doctor/check-server.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { type CellDatabase, cellRoleName } from '../../../src/stores/cell/cell-database.js';
import { execute } from '../../../src/stores/query.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { createTestCell } from '../../support/cell.js';
import { openTestCell } from '../../support/open-context.js';
import { adminUrl, runAsAdmin } from '../../support/postgres.js';
import { checkCells, closeAll, closers, makeCell, problemsOf } from './doctor-scene.js';

afterEach(closeAll);

describe('checkCell', () => {
  test('finds commits that a crash would lose', async () => {
    const cell = await createTestCell();
    closers.push(cell.drop);
    expect(await problemsOf(cell)).toMatchObject([
      { check: 'synchronous_commit', level: 'error', fix: expect.stringContaining('synchronous_commit = on') },
    ]);
  });

  test('names each setting with which sessions of ours begin, and the statement that takes it away', async () => {
    const cell = await makeCell();
    const login = `settled_${randomBytes(4).toString('hex')}`;
    const { database } = cell;
    await cell.sql(`create role ${login} login in role "${cellRoleName(cell.dataCenter.id, 'worker')}";
      alter role ${login} set session_replication_role = replica;
      alter role ${login} in database ${database} set credit_rollout.cause = 'lapse';
      alter database ${database} set enable_indexscan = off; alter database ${database} set work_mem = '8MB'`);
    try {
      expect(await problemsOf(cell)).toMatchObject([
        {
          level: 'warning',
          fix: expect.stringContaining(`ALTER ROLE ${login} IN DATABASE ${database} RESET credit_rollout.cause;`),
        },
        { level: 'warning', fix: expect.stringContaining(`ALTER DATABASE ${database} RESET enable_indexscan;`) },
        { level: 'error', fix: expect.stringContaining(`ALTER ROLE ${login} RESET session_replication_role;`) },
      ]);
    } finally {
      await cell.sql(`drop role ${login}`);
    }
  });

  test('rejects a cell whose texts may be bytes of any kind, as init does', async () => {
    const database = `ascii_${randomBytes(4).toString('hex')}`;
    await runAsAdmin(adminUrl(), `create database ${database} encoding 'SQL_ASCII' locale 'C' template template0`);
    const url = adminUrl().replace(/\/postgres(?=$|\?)/u, `/${database}`);
    const cell = openTestCell(url, 'ascii');
    closers.push(
      () => runAsAdmin(adminUrl(), `drop database ${database} with (force)`),
      () => cell.close(),
    );
    await cell.asOwner((tx) => execute(tx, 'create table public.orgs (org_id text primary key)'));
    const dataCenter = { id: 'ascii', zone: 'UTC', database: { text: url }, source: 'public.orgs' };
    const init = initCell(cell, { dataCenter, card: sampleCard, lapseGraceDays: 30 });
    await expect(init).rejects.toMatchObject({ code: 'encoding_unsupported' });
    const [found] = (await checkCells([{ ...(await makeCell()), cell, dataCenter }])).filter(
      ({ check }) => check === 'encoding',
    );
    expect(found).toMatchObject({ level: 'error', code: 'encoding_unsupported' });
  });

  test.each([
    [5_000, '5.0 s behind ours'],
    [-2_900, '2.9 s ahead of ours'],
  ])('warns when our clock is %d ms off', async (offMs, found) => {
    const clock = { ...systemClock, now: () => new Date(Date.now() + offMs) };
    const [warning] = await problemsOf(await makeCell(), { clock });
    expect(warning).toMatchObject({ check: 'clock', level: 'warning' });
    expect(warning?.found.replace(/\.\d/u, '.x')).toContain(found.replace(/\.\d/u, '.x'));
  });

  test('accepts a clock that is 1.5 s off', async () => {
    const clock = { ...systemClock, now: () => new Date(Date.now() + 1_500) };
    expect(await problemsOf(await makeCell(), { clock })).toEqual([]);
  });

  test('rejects a zone that Postgres does not know, and warns of one that init did not store', async () => {
    const cell = await makeCell();
    const at = (zone: string) => problemsOf(cell, { dataCenters: [{ ...cell.dataCenter, zone }] });
    expect(await at('Mars/Olympus')).toMatchObject([{ check: 'zone', code: 'invalid_zone' }, { check: 'schema' }]);
    expect(await at('Asia/Kolkata')).toMatchObject([
      { check: 'schema', level: 'warning', found: 'init stored the zone UTC, the configuration has Asia/Kolkata' },
    ]);
  });
});

describe('checkInstant', () => {
  const recorder = createFindingRecorder({ subject: 'eu', title: 'Data center "eu"' }, 'instants');
  const opened = (): CellDatabase => {
    const cell = openTestCell(adminUrl(), 'eu');
    closers.push(() => cell.close());
    return cell;
  };

  test.each([
    ['2025-10-06', 'Asia/Kolkata'],
    ['2025-10-30T08:30', 'Australia/Lord_Howe'],
    ['2025-09-07', 'America/Santiago'], // midnight does not exist
    ['2025-11-02', 'America/Havana'], // midnight exists twice, and the first one counts
  ])('finds that both sides read %s in %s alike', async (text, zone) => {
    const finding = await checkInstant(
      opened(),
      { key: 'rollout.notBefore', at: parseLocalInstant(text, zone), now: new Date('2025-01-01T00:00:00Z') },
      recorder,
    );
    expect(finding).toMatchObject({ level: 'ok', found: expect.not.stringContaining('passed') });
  });

  test('reports that a date that has passed is due now', async () => {
    const at = parseLocalInstant('2025-10-06', 'Asia/Kolkata');
    const finding = await checkInstant(opened(), { key: 'rollout.notBefore', at, now: at.instant }, recorder);
    expect(finding).toMatchObject({ level: 'ok', found: expect.stringContaining('it has passed: due now') });
  });

  test('finds zone data that differ', async () => {
    const at = { ...parseLocalInstant('2025-10-06', 'Europe/Berlin'), instant: new Date('2025-10-05T23:00:00Z') };
    const now = at.instant;
    expect(await checkInstant(opened(), { key: 'rollout.notBefore', at, now }, recorder)).toMatchObject({
      level: 'error',
      code: 'zone_data_differs',
      found:
        'rollout.notBefore 2025-10-06T00:00:00 Europe/Berlin = 2025-10-05T23:00:00.000Z here, but 2025-10-05T22:00:00.000Z in its Postgres',
    });
  });
});

describe('checkVersion', () => {
  const recorder = createFindingRecorder({ subject: 'eu', title: 'Data center "eu"' }, 'version');

  test.each([
    [130_022, 'error'],
    [140_000, 'ok'],
    [180_004, 'ok'],
    [190_000, 'error'],
  ] as const)('calls %d %s', (version, level) => {
    expect(checkVersion({ version }, recorder).level).toBe(level);
  });

  test('rejects a standby', () => {
    const reading = { version: 180_004, standby: true, synchronousCommit: 'on' };
    expect(checkPrimary(reading, recorder)).toMatchObject({ level: 'error', code: 'cell_is_standby' });
  });
});
