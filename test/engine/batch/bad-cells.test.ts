// What init rejects before anything changes: the wrong cell, a standby, a copy, a version; and five of them at once.
import { afterEach, describe, expect, test } from 'vitest';
import { assertVersion, initCell } from '../../../src/engine/setup/init-cell.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { assertCellIdentity } from '../../../src/stores/cell/identity.js';
import { applyAll, letOwnerRead } from '../../support/cell.js';
import { createFleet } from '../../support/fleet.js';
import { openContext, openTestCell } from '../../support/open-context.js';
import { createTestDatabase } from '../../support/postgres.js';
import { silentLog } from '../../support/silent.js';
import { dropAll, dropped, makeCell } from './bad-input-scene.js';

afterEach(dropAll);

describe('a cell', () => {
  test('behind another data center’s URL is rejected on the first connection', async () => {
    const eu = await makeCell();
    const us = openTestCell(eu.url, 'us');
    dropped.push(() => us.close());
    await expect(us.inTransaction('worker', async () => undefined)).rejects.toMatchObject({
      code: 'wrong_cell',
      exitCode: 6,
    });
    await expect(
      initCell(us, { dataCenter: { ...eu.dataCenter, id: 'us' }, card: eu.card, lapseGraceDays: 30 }),
    ).rejects.toMatchObject({ code: 'wrong_cell' });
    expect(await eu.sql('select data_center from credit_rollout.cell')).toEqual([{ data_center: eu.dataCenter.id }]);
  });

  test('that is a standby is rejected', async () => {
    const facts = { standby: true, initialised: true, version: 180_000, database_name: 'x', system_identifier: '1' };
    await expect(assertCellIdentity(async () => [facts], 'eu')).rejects.toMatchObject({ code: 'cell_is_standby' });
  });

  test('that was copied to another database is rejected', async () => {
    const cell = await makeCell();
    await cell.sql(`update credit_rollout.cell set database_name = 'elsewhere'`);
    const again = openTestCell(cell.url, cell.dataCenter.id);
    dropped.push(() => again.close());
    await expect(again.inTransaction('reader', async () => undefined)).rejects.toMatchObject({ code: 'wrong_cell' });
  });

  test.each([
    [130_014, false],
    [140_000, true],
    [189_999, true],
    [190_000, false],
  ])('of version %i is supported: %s', (version, supported) => {
    const check = (): void => assertVersion('eu', version);
    if (supported) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: 'unsupported_version' }));
  });

  test('is made once when five init run at the same time on a fresh database', async () => {
    const cell = await makeCell({ init: 'left', orgs: [{}, {}] });
    await letOwnerRead(cell.sql, cell.dataCenter.id);
    const reports = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const own = openTestCell(cell.url, cell.dataCenter.id);
        dropped.push(() => own.close());
        return initCell(own, { dataCenter: cell.dataCenter, card: cell.card, lapseGraceDays: 30 });
      }),
    );
    expect(reports.filter((report) => report.migrations.length > 0)).toHaveLength(1);
    expect(reports.filter((report) => report.attached)).toHaveLength(1);
    await applyAll(cell);
    expect(await cell.sql('select count(*)::int as rows from credit_rollout.allotments')).toEqual([{ rows: 2 }]);
  });
});

describe('a control database', () => {
  test('is made once when five init run at the same time', async () => {
    const fleet = await createFleet({ orgs: 0 });
    dropped.push(fleet.drop);
    const fresh = await createTestDatabase('control_race');
    const opened = new Set<() => Promise<unknown>>();
    dropped.push(async () => {
      for (const close of opened) await close();
      await fresh.drop();
    });
    const reports = await Promise.all(
      Array.from({ length: 5 }, () =>
        initControl(openContext({ control: fresh.url, cells: [], queue: undefined }, silentLog, opened), fleet.config),
      ),
    );
    expect(reports.filter(({ migrations }) => migrations.length > 0)).toHaveLength(1);
  });
});
