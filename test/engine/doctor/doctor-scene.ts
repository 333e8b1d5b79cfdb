// What the tests of `doctor` check: cells and a control as a user has them, and doctor over them.
import { randomBytes } from 'node:crypto';
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';
import type { CellDirectory } from '../../../src/engine/context.js';
import { type DoctorRequest, runDoctorChecks } from '../../../src/engine/doctor/doctor.js';
import type { Finding } from '../../../src/engine/doctor/finding.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { shareSealKey } from '../../../src/engine/setup/share-seal-key.js';
import { type Clock, systemClock } from '../../../src/kernel/clock.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';
import { openPostgres } from '../../../src/platform/postgres.js';
import type { CellDatabase } from '../../../src/stores/cell/cell-database.js';
import { type ControlDatabase, createControlDatabase } from '../../../src/stores/control/control-database.js';
import { createTestCell, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { openTestCell } from '../../support/open-context.js';
import { createTestDatabase } from '../../support/postgres.js';

export const closers: (() => Promise<unknown>)[] = [];
/** Closes and drops, last first, what a test opened. */
export const closeAll = async (): Promise<void> => {
  for (const close of closers.splice(0).reverse()) await close();
};

export const makeCell = async (options?: TestCellOptions): Promise<TestCell> => {
  const cell = await createTestCell({ ...options, init: 'left' });
  closers.push(cell.drop);
  // the shared server runs without durability, a user's does not; it holds for the connections that init opens
  await cell.sql(`alter database ${cell.database} set synchronous_commit = on`);
  if (options?.init !== 'left') await cell.init();
  return cell;
};

export const makeControl = async (config?: RolloutConfig): Promise<{ control: ControlDatabase; url: string }> => {
  const database = await createTestDatabase('control');
  const control = createControlDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 2 }));
  closers.push(database.drop, control.close);
  await control.inTransaction((tx) => tx.raw(`alter database ${database.name} set synchronous_commit = on`));
  await control.close();
  const reopened = createControlDatabase(openPostgres({ url: database.url, applicationName: 'test', max: 2 }));
  closers.push(reopened.close);
  if (config) await initControl({ control: reopened }, config);
  return { control: reopened, url: database.url };
};

export const makeConfig = (cells: readonly TestCell[], more = ''): RolloutConfig =>
  parseRolloutConfig(
    `controlDatabase: x\nrateCard: y\n${more}dataCenters:\n${cells
      .map(
        ({ dataCenter: { id, zone } }) =>
          `  - { id: ${id}, zone: ${zone}, database: "z-${id}", source: public.orgs }\n`,
      )
      .join('')}`,
    { lookup: () => undefined },
  );

export const directory = (...cells: readonly CellDatabase[]): CellDirectory => ({
  get: (id) => {
    const cell = cells.find(({ dataCenter }) => dataCenter === id);
    if (cell) return cell;
    throw new RolloutError('missing_environment_variable', { message: 'EU_DATABASE_URL is not set.' });
  },
});

interface CheckRequest extends Partial<DoctorRequest> {
  readonly control?: ControlDatabase;
  readonly cells?: CellDirectory;
  readonly clock?: Clock;
}

/** Doctor over these cells; control is one that nobody can reach unless the test gives one. */
export const checkCells = (cells: readonly TestCell[], given: CheckRequest = {}): Promise<readonly Finding[]> => {
  const { control = noControl, cells: open = directory(...cells.map(({ cell }) => cell)), clock = systemClock } = given;
  const request = {
    config: makeConfig(cells),
    card: cells[0]?.card ?? (() => Promise.reject(new Error('no card'))),
    dataCenters: cells.map(({ dataCenter }) => dataCenter),
    queueCheck: async () => undefined,
    ...given,
  };
  return runDoctorChecks({ control, cells: open, clock, actor: null }, request);
};

/** As `init` does for a cell and its control. */
export const shareKey = (control: ControlDatabase, { cell, dataCenter }: TestCell): Promise<void> =>
  shareSealKey({ control, cells: directory(cell) }, dataCenter.id, 'existing');

export const unreachableControl = (): ControlDatabase => {
  const db = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none', applicationName: 'test', max: 1 });
  closers.push(() => db.destroy());
  return createControlDatabase(db);
};

/** For tests of cells only. */
const noControl: ControlDatabase = {
  inTransaction: () => Promise.reject(new RolloutError('database_unreachable', { message: 'Not read.' })),
  close: async () => undefined,
};

export const of = (findings: readonly Finding[], subject: string): readonly Finding[] =>
  findings.filter((finding) => finding.subject === subject);
/** The findings on one cell that are not ok. */
export const problemsOf = async (cell: TestCell, given?: CheckRequest): Promise<readonly Finding[]> =>
  of(await checkCells([cell], given), cell.dataCenter.id).filter(({ level }) => level !== 'ok');

/** A login that is no superuser, and the cell opened as it. */
export const openAsLogin = async ({
  url,
  dataCenter,
  sql,
}: TestCell): Promise<{ login: string; cell: CellDatabase }> => {
  const login = `login_${randomBytes(4).toString('hex')}`;
  await sql(`create role ${login} login password 'secret'`);
  const parsed = new URL(url);
  parsed.username = login;
  parsed.password = 'secret';
  const cell = openTestCell(parsed.href, dataCenter.id);
  closers.push(async () => {
    await cell.close();
    await sql(`drop owned by ${login}; drop role ${login}`);
  });
  return { login, cell };
};
