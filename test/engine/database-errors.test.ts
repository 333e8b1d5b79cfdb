// Which database a failure is attributed to, however deep in a use-case it happens. No server is needed: nothing
// listens there.
import { afterAll, expect, test } from 'vitest';
import { explainFailure, nameReadFailure } from '../../src/engine/database-errors.js';
import { formatAdvice } from '../../src/kernel/advice.js';
import { RolloutError } from '../../src/kernel/rollout-error.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createCellDatabase } from '../../src/stores/cell/cell-database.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { classifyFailure, withSubject } from '../../src/stores/postgres-failure.js';

const db = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/nothing', applicationName: 'test', max: 1 });
const CELL = { title: 'Data center "eu"', kind: 'cell' } as const;
const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined).catch((error) => error);
const denied = (): Error =>
  Object.assign(new Error('permission denied for table orgs'), { code: '42501', routine: 'aclcheck_error' });

/** As the server says it of a check constraint of our schema. */
const BREACH = { constraint: 'floor_check', schema: 'credit_rollout', routine: 'ExecConstraints' };

afterAll(() => db.destroy());

test.each([
  ['Data center "eu"', () => createCellDatabase(db, 'eu').inTransaction('worker', async () => 1)],
  ['Data center "eu"', () => createCellDatabase(db, 'eu').asOwner(async () => 1)],
  ['The control database', () => createControlDatabase(db).inTransaction(async () => 1)],
])('a transaction on %s that cannot begin is explained as its own', async (subject, transaction) => {
  const error = await failureOf(transaction());
  expect(explainFailure(error)).toMatchObject({
    code: 'database_unreachable',
    message: `${subject}: its database cannot be reached (ECONNREFUSED).`,
    cause: error,
  });
  expect(classifyFailure(error)).toMatchObject({ kind: 'unreachable', sqlstate: 'ECONNREFUSED' });
  expect(nameReadFailure(error)).toBe('ECONNREFUSED');
});

test('of two databases one inside the other the inner one is named', async () => {
  const inner = (): Promise<unknown> => withSubject(CELL, () => Promise.reject(denied()));
  const error = await failureOf(withSubject({ title: 'The control database', kind: 'control' }, inner));
  expect(explainFailure(error)).toMatchObject({
    code: 'not_permitted',
    message: 'Data center "eu": permission denied for table orgs (SQLSTATE 42501).',
  });
});

test('a failure of no database of ours is named as the caller names it', () => {
  expect(explainFailure(denied())).toMatchObject({ message: expect.stringMatching(/^A database: /u) });
  expect(explainFailure(denied(), 'The queue')).toMatchObject({ message: expect.stringMatching(/^The queue: /u) });
});

test('an error of the registry, a bug, and what is no object come back as they are', async () => {
  const known = new RolloutError('conflict', { message: 'Somebody else was faster.' });
  const bug = new TypeError('x is not a function');
  for (const thrown of [known, bug, 'a text', undefined])
    expect(explainFailure(await withSubject(CELL, () => Promise.reject(thrown)).catch((error) => error))).toBe(thrown);
});

test.each([
  ['25P03', 'its own time limit ended the transaction'],
  ['57014', "longer than this program's own time limit"],
  ['55P03', 'a lock that is needed was not free'],
  ['40P01', 'another session wrote the same rows'],
  ['57P01', 'its database ended the connection'],
])('%s says what took too long, and whose limit it was', async (code, words) => {
  const thrown = Object.assign(new Error('as the server says it'), { code, severity: 'FATAL' });
  const explained = explainFailure(await failureOf(withSubject(CELL, () => Promise.reject(thrown))));
  expect(explained).toMatchObject({ code: 'cell_busy', message: expect.stringContaining(words) });
  const { message, advice } = explained as RolloutError;
  expect(message).toMatch(/^Data center "eu": .*SQLSTATE/u);
  // no session is named, so none is to be ended
  expect(formatAdvice(advice)).not.toContain('end');
});

test.each(['22003', '23505', '42703', '55000', '58030', 'P0001', 'XX000', 'XX001'])(
  '%s of control is no internal error, and the text of its server stays there',
  async (code) => {
    const thrown = Object.assign(new Error('failed for org 4711'), { code, severity: 'ERROR' });
    const CONTROL = { title: 'The control database', kind: 'control' } as const;
    const explained = explainFailure(await failureOf(withSubject(CONTROL, () => Promise.reject(thrown))));
    expect(explained).toMatchObject({
      code: 'database_failed',
      message: `The control database: its database could not execute a statement (SQLSTATE ${code}).`,
    });
  },
);

test.each([
  ['a name that the server does not know', { code: '42703', position: '8' }, 'database_failed', 'that a statement'],
  ['a rule of ours', { code: '23514', ...BREACH }, 'rule_violation', 'a rule of ours (SQLSTATE 23514, floor_check)'],
])('%s is named by a code, with a way out', async (_, described, code, words) => {
  const thrown = Object.assign(new Error('failed for org 4711'), { severity: 'ERROR', ...described });
  const explained = explainFailure(await failureOf(withSubject(CELL, () => Promise.reject(thrown))));
  expect(explained).toMatchObject({ code, message: expect.stringContaining(words) });
  expect((explained as RolloutError).message).not.toContain('4711');
  expect((explained as RolloutError).next).toContain('eport it');
});

test.each([
  ['58030', 'database_failed'],
  ['XX001', 'database_failed'],
  ['P0001', 'source_failed'],
  ['22021', 'encoding_unsupported'],
])('%s of a cell is %s: the product’s code is blamed for what it can cause', async (code, expected) => {
  const thrown = Object.assign(new Error('failed'), { code, severity: 'ERROR' });
  const error = await failureOf(withSubject(CELL, () => Promise.reject(thrown)));
  expect(explainFailure(error)).toMatchObject({ code: expected });
});
