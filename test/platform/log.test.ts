// The log as its readers see it: lines of JSON without passwords.
import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.js';

describe('createLog', () => {
  test.each([
    ['postgres://app:s3cret@db:5432/orgs', 'postgres://app:***@db:5432/orgs'],
    ['redis://:s3cret@127.0.0.1:6379', 'redis://:***@127.0.0.1:6379'],
    ['postgres://app:s3/cr@et@db/orgs is down', 'postgres://app:***@db/orgs is down'],
    ['postgres://db/orgs?user=app&password=s3cret&host=/run', 'postgres://db/orgs?user=app&password=***&host=/run'],
    ['http://127.0.0.1:8080/status', 'http://127.0.0.1:8080/status'],
  ])('writes %s as %s', (text, shown) => {
    const lines: string[] = [];
    createLog({ level: 'info', write: (line) => lines.push(line) }).info('connected', { text });
    expect(JSON.parse(lines.join(''))).toMatchObject({ text: shown });
  });

  test('writes an event with its fields, and those of its parent', () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', write: (line) => lines.push(line) });
    log.child({ dc: 'eu' }).info('batch_applied', { batch: 7 });
    expect(JSON.parse(lines.join(''))).toMatchObject({ event: 'batch_applied', dc: 'eu', batch: 7 });
  });

  test.each(['err', 'reason'])('writes name, code and place of an error in %s, and never its text', (field) => {
    const lines: string[] = [];
    const log = createLog({ level: 'debug', write: (line) => lines.push(line) });
    const server = { severity: 'ERROR', code: 'JANE1', detail: 'detail-jane', where: 'where-jane', constraint: 'jane' };
    const cause = Object.assign(new Error('jane\n    at jane'), server);
    const err = Object.assign(new TypeError('no org jane\n    at jane.doe', { cause }), { code: 'org_unknown' });
    for (const write of [log.debug, log.error, log.child({ a: 1 }).info])
      write('tick_failed', { [field]: err, all: [{ err }] });
    expect(lines.join('')).not.toMatch(/jane/iu);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      [field]: {
        name: 'TypeError',
        code: 'org_unknown',
        at: expect.arrayContaining([expect.stringMatching(/^at .*log\.test\.ts/u)]),
        cause: { name: 'Error' },
      },
    });
  });

  test('writes nothing below its level', () => {
    const lines: string[] = [];
    createLog({ level: 'warn', write: (line) => lines.push(line) }).info('idle');
    expect(lines).toEqual([]);
  });
});
