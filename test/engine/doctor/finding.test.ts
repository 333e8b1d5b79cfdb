// How the checks of doctor are run: in order, each only where it makes sense, and none that fails hides another.
import { describe, expect, test } from 'vitest';
import { type Check, runChecks } from '../../../src/engine/doctor/finding.js';
import { RolloutError } from '../../../src/kernel/rollout-error.js';

const ABOUT = { subject: 'eu', title: 'Data center "eu"' };
const good = (check: string, more: Partial<Check<null>> = {}): Check<null> => ({
  check,
  run: (_, record) => record.ok('fine'),
  ...more,
});
const bad = (check: string, more: Partial<Check<null>> = {}): Check<null> => ({
  check,
  run: (_, record) => [record.ok('partly'), record.error('broken', 'Repair it.')],
  ...more,
});
const run = async (...checks: readonly Check<null>[]): Promise<readonly string[]> =>
  (await runChecks(ABOUT, checks, null)).map(({ check, level }) => `${check}: ${level}`);

describe('runChecks', () => {
  test('gives the findings of every check in the order of the list', async () => {
    expect(await run(bad('one'), good('two'))).toEqual(['one: ok', 'one: error', 'two: ok']);
  });

  test.each([
    ['found an error', [bad('one')], ['one: ok', 'one: error']],
    ['was left out itself', [good('one', { applies: () => false })], []],
    ['is not there', [], []],
  ] as const)('leaves out a check that needs one that %s', async (_, before, expected) => {
    expect(await run(...before, good('two', { needs: ['one'] }))).toEqual(expected);
  });

  test('runs a check that needs one with a warning', async () => {
    const warns = good('one', { run: (_, record) => record.warning('slow', null) });
    expect(await run(warns, good('two', { needs: ['one'] }))).toEqual(['one: warning', 'two: ok']);
  });

  test('runs nothing after an error of a decisive check', async () => {
    expect(await run(bad('one', { decisive: true }), good('two'))).toEqual(['one: ok', 'one: error']);
    expect(await run(good('one', { decisive: true }), good('two'))).toEqual(['one: ok', 'two: ok']);
  });

  test('turns what a check throws into its finding, with the code and the fix, and goes on', async () => {
    const throws = good('one', {
      run: () => Promise.reject(new RolloutError('source_not_found', { message: 'It is not there.' })),
    });
    const findings = await runChecks(ABOUT, [throws, good('two')], null);
    expect(findings).toMatchObject([
      { subject: 'eu', check: 'one', level: 'error', code: 'source_not_found', found: 'It is not there.' },
      { subject: 'eu', check: 'two', level: 'ok' },
    ]);
  });

  test('shows nothing of an unknown error but its name', async () => {
    const throws = good('one', { run: () => Promise.reject(new TypeError('secret')) });
    const findings = await runChecks(ABOUT, [throws], null);
    expect(findings).toMatchObject([{ level: 'error', found: 'Data center "eu": the check failed (TypeError).' }]);
    expect(JSON.stringify(findings)).not.toContain('secret');
  });

  test('says which check is running once it takes a second, and nothing of one that is over', async () => {
    const told: string[] = [];
    let end = (): void => undefined;
    const slow = good('two', {
      run: (_, record) => new Promise((resolve) => (end = () => resolve(record.ok('at last')))),
    });
    const onSlow = (subject: string, check: string): void => {
      told.push(`${subject}: ${check}`);
      end();
    };
    expect(await runChecks(ABOUT, [good('one'), slow, good('three')], null, onSlow)).toHaveLength(3);
    expect(told).toEqual(['eu: two']);
  });
});
