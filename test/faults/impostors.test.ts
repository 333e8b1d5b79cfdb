// Another program on the port of a server, as any user of the machine may start one while the server is down: it learns
// no password of a Postgres, and what it does is told as what it is.
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { checkQueue } from '../../jobs/queue/connection.js';
import { explainFailure } from '../../src/engine/database-errors.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createServerTls } from '../../src/platform/tls.js';

const PASSWORD = 'mk-password-7';
const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A program that listens, and what it is told. */
async function pretend(
  answer: (socket: Socket, message: Buffer, n: number) => void,
  place?: string,
): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  const server = createServer((socket) => {
    sockets.add(socket);
    let n = 0;
    socket
      .on('error', () => undefined)
      .on('data', (message) => {
        heard += message.toString('latin1');
        answer(socket, message, n);
        n += 1;
      });
  });
  servers.push(place === undefined ? server.listen(0, '127.0.0.1') : server.listen(place));
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, heard: () => heard };
}

/** A message that asks for a login, as the protocol of Postgres has it. */
function ask(kind: number, text = ''): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), Buffer.from(text, 'latin1')]);
  body.writeInt32BE(kind);
  const head = Buffer.from('R\0\0\0\0');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
const [LET_IN, CLEAR_TEXT, SASL, SASL_CONTINUE, SASL_FINAL] = [0, 3, 10, 11, 12] as const;
const READY = Buffer.from('Z\0\0\0\u0005I', 'latin1');

/** It knows no password: a nonce, a salt and a number of rounds are anybody's, a signature is not. */
const scram = (rounds: number) => (socket: Socket, message: Buffer, n: number) => {
  const nonce = /r=([^,]+)$/u.exec(message.toString('latin1'))?.[1] ?? '';
  const steps = [
    ask(SASL, 'SCRAM-SHA-256\0\0'),
    ask(SASL_CONTINUE, `r=${nonce}abc,s=c2FsdHNhbHQ=,i=${rounds}`),
    ask(SASL_FINAL, `v=${Buffer.alloc(32).toString('base64')}`),
  ];
  socket.write(steps[n] ?? '');
};
const clearText = (socket: Socket, _: Buffer, n: number): void => void (n === 0 && socket.write(ask(CLEAR_TEXT)));

const tls = createServerTls({ tls: { kind: 'plain' }, direct: false, key: 'controlDatabase' });

const logIn = (port: number, login = `app:${PASSWORD}`): Promise<unknown> =>
  askOne(`postgres://${login}@127.0.0.1:${port}/x`);

async function askOne(url: string): Promise<unknown> {
  const database = openPostgres({ url, tls, applicationName: 'test', max: 1 });
  try {
    return await database.raw('select 1').then(
      () => 'logged in',
      (error: unknown) => explainFailure(error),
    );
  } finally {
    await database.destroy();
  }
}

describe('another program on the port of a Postgres', () => {
  test('that asks for the password in clear text does not get it', async () => {
    const { port, heard } = await pretend(clearText);
    expect(await logIn(port)).toMatchObject({
      code: 'database_refused',
      message: 'A database: its server asks for the password in clear text, without TLS: it is not sent.',
    });
    await expect(checkQueue(`postgres://app:${PASSWORD}@127.0.0.1:${port}/x`, tls)).rejects.toThrow();
    expect(heard()).toContain('app');
    expect(heard()).not.toContain(PASSWORD);
  });

  test.each([
    [0o1777, false],
    [0o755, true],
  ])('on a socket in a folder of mode %o gets it: only where nobody else could listen', async (mode, isSent) => {
    const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-socket-'));
    await chmod(folder, mode);
    const { heard } = await pretend(
      (socket, message, n) => {
        if (n === 0) clearText(socket, message, n);
        else socket.end();
      },
      join(folder, '.s.PGSQL.5432'),
    );
    const told = await askOne(`postgres://app:${PASSWORD}@localhost/x?host=${folder}`);
    expect(heard().includes(PASSWORD)).toBe(isSent);
    expect(told).toMatchObject({ code: isSent ? 'cell_busy' : 'database_refused' });
    await rm(folder, { recursive: true });
  });

  test.each([4_096, 2_000_000_000])(
    'that cannot prove the password, with %i rounds, is told as that',
    async (rounds) => {
      const { port, heard } = await pretend(scram(rounds));
      expect(await logIn(port)).toMatchObject({
        code: 'database_refused',
        message: 'A database: its server does not prove that it knows the password, so it may be another one.',
      });
      expect(heard()).not.toContain(PASSWORD);
    },
  );

  test.each([
    ['a row of no length', 'D\0\0\0\0'],
    ['columns that it does not name', 'T\0\0\0\u0009\0\u0032abc'],
    ['parameters that are missing', 't\0\0\0\u0006\0\u0003'],
    ['a message that is none', '?\0\0\0\u0004'],
  ])('that answers with %s ends one connection, and not the process', async (_, reply) => {
    const { port } = await pretend((socket, message, n) => {
      if (message.toString('latin1').startsWith('X')) socket.end();
      else socket.write(n === 0 ? Buffer.concat([ask(LET_IN), READY]) : Buffer.from(reply, 'latin1'));
    });
    expect(await logIn(port)).toMatchObject({
      code: 'database_unreachable',
      message: 'A database: what answers at its address does not speak as PostgreSQL does.',
    });
  });

  test('and a URL without a password is told as that', async () => {
    const { port } = await pretend(scram(4_096));
    expect(await logIn(port, 'app')).toMatchObject({
      message: 'A database: its URL has no password, and its server asks for one.',
    });
  });
});

test('a Redis that takes the connection and says nothing is not waited for', { timeout: 20_000 }, async () => {
  const { port } = await pretend(() => undefined);
  await expect(checkQueue(`redis://127.0.0.1:${port}`)).rejects.toMatchObject({ code: 'queue_unreachable' });
});
