// The built program in a folder of its own, so that its embedded server is not the one of this clone. Everything that
// it made is removed in the end.
import { spawn } from 'node:child_process';
import { access, copyFile, cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { projectFolder } from '../../src/compose.js';
import { prepareHome } from '../../src/platform/embedded/location.js';
import { findServerUser } from '../../src/platform/embedded/server-user.js';

export interface CopiedCommand {
  readonly code: number | null;
  /** Standard output and standard error, in the order in which they came. */
  readonly output: string;
}

export interface ProjectCopy {
  readonly folder: string;
  /** Runs one command line of the program. */
  run(...args: readonly string[]): Promise<CopiedCommand>;
  /** Starts a command that serves until it is stopped; resolves with the first line that matches. */
  serve(ready: RegExp, ...args: readonly string[]): Promise<ServingCommand>;
  remove(): Promise<void>;
}

export interface ServingCommand {
  readonly line: string;
  /** As Ctrl-C does; its exit code. */
  stop(): Promise<number | null>;
}

/**
 * The folder of the present code as users run it, compiled and bundled, which `npm test` and every command make first.
 * Throws with what the compiler wrote when it does not compile.
 */
export async function ensureBuilt(): Promise<string> {
  const built = await runProgram(projectFolder, [join(projectFolder, 'scripts', 'setup.mjs'), 'build']);
  if (built.code !== 0) throw new Error(`the code does not compile: ${built.output}`);
  return join(projectFolder, 'dist');
}

export async function createProjectCopy(): Promise<ProjectCopy> {
  const built = await ensureBuilt();
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-copy-'));
  // not a link: the program finds its server by the place of its own files
  await cp(built, join(folder, 'dist'), { recursive: true });
  await copyFile(join(projectFolder, 'package.json'), join(folder, 'package.json'));
  await cp(join(projectFolder, 'src', 'sample'), join(folder, 'src', 'sample'), { recursive: true });
  await symlink(join(projectFolder, 'node_modules'), join(folder, 'node_modules'));
  const main = join(folder, 'dist', 'src', 'cli', 'main.js');
  return {
    folder,
    run: (...args) => runProgram(folder, [main, ...args]),
    serve: (ready, ...args) => serveProgram(folder, [main, ...args], ready),
    remove: async () => {
      const home = await prepareHome(folder, await findServerUser());
      await waitUntilStopped(home);
      await Promise.all([home, folder].map((path) => rm(path, { recursive: true, force: true, maxRetries: 5 })));
    },
  };
}

function runProgram(folder: string, args: readonly string[]): Promise<CopiedCommand> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, npm_lifecycle_event: 'rollout' }; // commands are shown as `npm run -s rollout -- …`
    const child = spawn(process.execPath, [...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

function serveProgram(folder: string, args: readonly string[], ready: RegExp): Promise<ServingCommand> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise<number | null>((end) => child.once('close', end));
    let output = '';
    const stop = (): Promise<number | null> => {
      child.kill('SIGINT');
      return ended;
    };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        const line = output.split('\n').find((one) => ready.test(one));
        if (line !== undefined) resolve({ line, stop });
      });
    child.once('error', reject);
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${output}`)));
  });
}

const TIMEOUT_MS = 30_000;

/** The server stops with its last user, a moment later. */
async function waitUntilStopped(home: string): Promise<void> {
  const until = performance.now() + TIMEOUT_MS;
  for (;;) {
    const servers = await readdir(home).catch(() => []);
    const running = await Promise.all(servers.map((name) => exists(join(home, name, 'data', 'postmaster.pid'))));
    if (!running.includes(true) || performance.now() > until) return;
    await delay(100);
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
