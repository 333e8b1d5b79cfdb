// URLs when they are used: those that a driver can read, and an error that names the key and shows nothing of another.
import { describe, expect, test } from 'vitest';
import { resolvePostgresUrl, resolveQueueUrl } from '../../../src/domain/config/resolve-url.js';
import { isRolloutError, type RolloutError } from '../../../src/kernel/rollout-error.js';

const lookup = (name: string): string | undefined =>
  name === 'DB' ? 'postgres://app:SECRET@db:99999/SECRET' : undefined;

function rejection(resolve: () => string): RolloutError | undefined {
  try {
    resolve();
    return undefined;
  } catch (error) {
    if (isRolloutError(error)) return error;
    throw error;
  }
}

const GOOD = [
  ...['postgres://app:x@db/credits', 'postgresql://db:5432/credits?sslmode=require', 'postgres://app@[::1]:5432/x'],
  ...['postgres:///credits?host=/run/postgresql', 'postgres://app:x@/credits?host=/run', '/run/postgresql credits'],
  ...['socket:/run/postgresql?db=credits', 'postgres://%2Frun%2Fpostgresql/credits', 'postgres://a:50%off@db/x'],
  ...['postgres://a:p%40ss@db/x', 'postgres://a:two words@db/x', 'postgres://ü:ß@db/ö'],
];
const BAD = [
  ...['postgres://app:SECRET@db:99999/x', 'postgres://app:SECRET@db:port/x', 'postgres://app:SEC#RET@db/x:SECRET'],
  ...[
    'postgres://app:SECRET/@db:1:2/x',
    'http://app:SECRET@db/x',
    'host=db password=SECRET',
    'app:SECRET@db/x',
    'SECRET',
  ],
  ...['postgres:app:SECRET@db', 'postgres://[SECRET/x', 'postgres://app:SECRET%4', 'postgres://SECRET host:1x/y'],
  ...[
    'postgres://app:SECRET@host/x?port=SECRET',
    'postgres://app:SECRET@host/x?port=99999',
    'postgres:///x?host=SEC%0ARET',
  ],
  ...['postgres://app:SECRET@\u202ehost/x', 'postgres://app:SECRET@host/x?host=SEC\u202eRET'],
  // what is before the piece that is not escaped looks like a host and its port
  ...['postgres://app:12/SECRET@db/x', 'postgres://app:12?SECRET@db/x', 'postgres://app:12#SECRET@db/x'],
];

describe('resolvePostgresUrl', () => {
  test.each(GOOD)('takes %s', (url) => expect(resolvePostgresUrl(url, lookup, 'controlDatabase')).toBe(url));

  test.each([...BAD, `\${DB}`])('rejects %s, by its key', (url) => {
    const error = rejection(() => resolvePostgresUrl(url, lookup, 'dataCenters.in.database'));
    expect(error?.code).toBe('invalid_config');
    expect(error?.message).toMatch(/^dataCenters\.in\.database is no URL of a PostgreSQL server/u);
    expect(`${error?.message} ${error?.next}`).not.toMatch(/SEC|app|db[:/]|99999/u);
    expect(error?.cause).toBeUndefined();
  });

  test('names a variable that is not set', () => {
    expect(rejection(() => resolvePostgresUrl(`\${GONE}`, lookup, 'controlDatabase'))?.code).toBe(
      'missing_environment_variable',
    );
  });
});

describe('resolveQueueUrl', () => {
  test.each(['redis://h:6379', 'rediss://:x@h:6379/1', 'redis://[::1]:6379', 'postgres://db/queue'])(
    'takes %s',
    (url) => expect(resolveQueueUrl(url, lookup)).toBe(url),
  );

  const bad = ['redis://:SECRET@h:99999', 'redis://:SEC/RET@h:x:6379', 'redis:6379', 'SECRET', 'amqp://SECRET@h'];
  const notEscaped = ['/', '?', '#'].map((sign) => `redis://app:12${sign}SECRET@h:6379`);
  test.each([...bad, ...notEscaped, 'redis://:SEC%RET@h:6379'])('rejects %s', (url) => {
    const error = rejection(() => resolveQueueUrl(url, lookup));
    expect(error?.code).toBe('invalid_config');
    expect(error?.message).toMatch(/^queue is no URL of a Redis or PostgreSQL server/u);
    expect(`${error?.message} ${error?.next}`).not.toMatch(/SEC|RET|99999|amqp/u);
  });
});
