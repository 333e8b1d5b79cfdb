// Another program on the port of a server, as any user of the machine may start one while the server is down: it learns
// no password of a Postgres, and what it does is told as what it is.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
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
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { port: (server.address() as { port: number }).port, heard: () => heard };
}

/** A message that asks for a login, as the protocol of Postgres has it. */
function ask(kind: number, text = ''): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), Buffer.from(text, 'latin1')]);
  body.writeInt32BE(kind);
  const head = Buffer.from('R\0\0\0\0');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
const [CLEAR_TEXT, SASL, SASL_CONTINUE, SASL_FINAL] = [3, 10, 11, 12] as const;

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

async function logIn(port: number, login = `app:${PASSWORD}`): Promise<unknown> {
  const url = `postgres://${login}@127.0.0.1:${port}/x`;
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
