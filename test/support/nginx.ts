// An nginx of our own, where one is installed; else a reported skip.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportSkipped, requiresAll } from './skipped-suites.js';
import { waitFor } from './wait.js';

const PROGRAM = '/usr/sbin/nginx';

/** For `describe.skipIf(!nginxAvailable())`: false, and reported, where it is not installed. */
export function nginxAvailable(): boolean {
  if (isInstalled() || requiresAll()) return true;
  reportSkipped('The nginx in front of a meter: nginx is not installed (apt-get install nginx).');
  return false;
}

function isInstalled(): boolean {
  try {
    accessSync(PROGRAM, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface TestNginx {
  /** The unix socket that it listens on. */
  readonly socket: string;
  stop(): Promise<void>;
}

/** Starts one process; `http`: the text of that block, given where it is to listen. Call stop() in afterAll. */
export async function startNginx(http: (socket: string) => string): Promise<TestNginx> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-nginx-'));
  const socket = join(folder, 'front.sock');
  const log = join(folder, 'error.log');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${join(folder, 'pid')};
events {}
http {
access_log off;
${paths.map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n')}
${http(socket)}
}
`,
  );
  const child = spawn(PROGRAM, ['-p', folder, '-e', log, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  const ended = once(child, 'exit').then(async () => {
    throw new Error(`nginx ended: ${await readFile(log, 'utf8').catch(() => '')}`);
  });
  ended.catch(() => undefined);
  await Promise.race([waitFor('nginx to answer', () => accepts(socket)), ended]);
  return {
    socket,
    stop: async () => {
      await end(child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

const accepts = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
