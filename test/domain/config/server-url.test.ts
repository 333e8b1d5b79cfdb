// What a URL says about TLS: the mode, the files, where it goes, and that the drivers are given the rest unchanged.
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { describeDatabase, parsePostgresServer, parseQueueServer } from '../../../src/domain/config/server-url.js';

const parse = (query: string, defaults = {}) =>
  parsePostgresServer(`postgres://u:p@db.example/x?${query}`, 'k', defaults);

describe('parsePostgresServer', () => {
  test('takes the parameters of TLS out and leaves the others as they are written', () => {
    const query = 'application_name=a%20b&sslmode=verify-full&sslrootcert=%2Fca.pem&options=-c%20x%3D1';
    expect(parse(query)).toMatchObject({
      url: 'postgres://u:p@db.example/x?application_name=a%20b&options=-c%20x%3D1',
      tls: { kind: 'tls', verify: 'host', otherwise: 'fail', files: { sslrootcert: '/ca.pem' } },
    });
    expect(parse('sslmode=disable').url).toBe('postgres://u:p@db.example/x');
  });

  test.each([
    ['', 'plain', undefined, undefined],
    ['sslmode=disable', 'plain', undefined, undefined],
    ['sslmode=allow', 'plain', 'none', 'plain'],
    ['sslmode=prefer', 'plain', 'none', 'plain'],
    ['sslmode=prefer&sslrootcert=/ca', 'plain', 'none', 'plain'],
    ['sslmode=require', 'unverified', 'none', 'fail'],
    ['sslmode=no-verify', 'unverified', 'none', 'fail'],
    ['ssl=no-verify', 'unverified', 'none', 'fail'],
    ['sslmode=require&sslrootcert=/ca', 'verified', 'authority', 'fail'],
    ['sslrootcert=/ca', 'verified', 'authority', 'fail'],
    ['sslmode=verify-ca&sslrootcert=/ca', 'verified', 'authority', 'fail'],
    ['sslmode=verify-full', 'verified', 'host', 'fail'],
    ['sslrootcert=system', 'verified', 'host', 'fail'],
    ['ssl=true', 'verified', 'host', 'fail'],
    ['uselibpqcompat=true&sslmode=require', 'unverified', 'none', 'fail'],
    ['sslmode=disable&sslmode=verify-full', 'verified', 'host', 'fail'],
  ])('reads %s', (query, transport, verify, otherwise) => {
    const found = parse(query);
    const tls = found.tls.kind === 'plain' ? {} : found.tls;
    expect([found.transport, 'verify' in tls ? tls.verify : undefined]).toEqual([transport, verify]);
    expect('otherwise' in tls ? tls.otherwise : undefined).toBe(otherwise);
  });

  test.each([
    'sslmode=verify_full',
    'sslmode=verify-ca',
    'sslmode=require&sslrootcert=system',
    'sslmode=require&sslkey=/k',
    'sslmode=prefer&sslnegotiation=direct',
  ])('rejects %s', (query) => {
    expect(() => parse(query)).toThrow(
      expect.objectContaining({ code: 'invalid_config', message: expect.stringMatching(/^k: [^@]+\.$/u) }),
    );
  });

  test('uses PGSSLMODE where the URL says nothing', () => {
    expect(parse('', { sslmode: 'require' }).transport).toBe('unverified');
    expect(parse('sslmode=verify-full', { sslmode: 'disable' }).transport).toBe('verified');
  });

  test.each([
    'postgres://localhost/x',
    'postgres://127.0.0.9:1/x',
    'postgres://[::1]/x',
    'postgres:///x',
    'postgres://u@db.example/x?host=%2Frun',
    'postgres://u@db.example/x?host=%2Frun&sslmode=require',
    'postgres://%2Frun/x',
    '/run/postgresql x',
    'socket:/run?db=x',
  ])('knows that %s does not leave the machine', (url) => {
    expect(parsePostgresServer(url, 'k').transport).toBe('local');
  });

  test.each(['postgres://10.0.0.1/x', 'postgres://localhost.example/x', 'postgres://localhost/x?host=db.example'])(
    'knows that %s does',
    (url) => {
      expect(parsePostgresServer(url, 'k').transport).toBe('plain');
    },
  );
});

describe('describeDatabase', () => {
  test.each([
    'postgres://u@db:1/crm',
    'postgres://u@db/w%3A%20y%25s%26%2F%40%3D%2B%24%2C%3B',
    'postgres://u@db/a b%C3%BC%3A',
    'postgres://u@db/100%',
    'postgres://u:p%40 %41%2F@db/%C3%B6?port=2&port=3',
    'postgres://u@db:1/x?host=one&host=two',
    'postgres://u:p@/x?host=db.example',
    'postgres://u@db:1',
  ])('shows the database that %s leads to', (text) => {
    const { url } = parsePostgresServer(text, 'k');
    const { host, port, database, user, password } = new pg.Client({ connectionString: url });
    const named = /:\d/u.test(describeDatabase(url)) ? `:${port}` : '';
    expect(describeDatabase(url)).toBe(`${host}${named}/${database === user ? '' : database}`);
    if (text.includes('p%40')) expect([password, database]).toEqual(['p@ A/', 'ö']);
    if (text.includes('w%3A')) expect(database).toBe('w: y%s&/@=+$,;');
  });

  test.each(['w%3Fx', 'w%23x'])('does not take the name %s, which the driver cannot read', (name) => {
    expect(() => parsePostgresServer(`postgres://u:SECRET@db/${name}`, 'k')).toThrow(
      expect.objectContaining({
        code: 'invalid_config',
        message: expect.stringMatching(/^k: the name of its database/u),
      }),
    );
  });

  test('knows another machine behind a URL without a host', () =>
    expect(parsePostgresServer('postgres://u:p@/x?host=db.example', 'k').transport).toBe('plain'));
});

describe('parseQueueServer', () => {
  test.each([
    ['redis://db.example', 'plain'],
    ['redis://localhost:1', 'local'],
    ['rediss://db.example', 'verified'],
    ['REDISS://db.example/?sslrootcert=/ca', 'verified'],
    ['postgres://db.example/x?sslmode=require', 'unverified'],
  ])('reads %s', (url, transport) => {
    expect(parseQueueServer(url).transport).toBe(transport);
  });

  test('keeps what else is in the URL of Redis', () => {
    expect(parseQueueServer('rediss://:p@h:1/2?sslrootcert=/ca&family=6').url).toBe('rediss://:p@h:1/2?family=6');
  });
});
