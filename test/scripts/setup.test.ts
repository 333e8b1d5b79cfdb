// The set-up before the first command, in a project whose compiler does nothing: what it makes is for nobody else to
// write, and a lock that was left keeps nobody waiting.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const COMPILER = `import { mkdirSync, writeFileSync } from 'node:fs';
const folder = process.argv[process.argv.indexOf('--outDir') + 1];
mkdirSync(folder + '/src/cli', { recursive: true });
writeFileSync(folder + '/src/cli/main.js', 'console.log(process.cwd(), ...process.argv.slice(2))');
`;

let project = '';
beforeEach(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), 'credit-rollout-setup-')));
  for (const script of ['scripts/setup.mjs', 'scripts/rollout.mjs']) await cp(script, join(project, script));
  const files = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.library.json'];
  for (const name of files) await writeFile(join(project, name), '{}');
  for (const [name, command] of Object.entries({ typescript: 'tsc', esbuild: 'esbuild' })) {
    const folder = join(project, 'node_modules', name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), JSON.stringify({ bin: { [command]: 'run.mjs' } }));
    await writeFile(join(folder, 'run.mjs'), command === 'tsc' ? COMPILER : '');
  }
  await writeFile(join(project, 'node_modules/.package-lock.json'), '{}');
});
afterEach(() => rm(project, { recursive: true, force: true }));

interface Built {
  readonly code: number | null;
  readonly said: string;
}

async function build(umask: string, onText: (said: string) => Promise<void> = async () => undefined): Promise<Built> {
  const child = spawn('sh', ['-c', `umask ${umask}; exec "$0" scripts/setup.mjs build`, process.execPath], {
    cwd: project,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += String(text);
    void onText(said);
  });
  const [code] = await once(child, 'close');
  return { code, said };
}

/** Modes of what was made. */
async function listModes(): Promise<ReadonlySet<string>> {
  const dist = join(project, 'dist');
  const made = [dist, ...(await readdir(dist, { recursive: true })).map((name) => join(dist, name))];
  const modes = await Promise.all(made.map(async (path) => ((await stat(path)).mode & 0o777).toString(8)));
  return new Set(modes);
}

describe('what the set-up makes', () => {
  test.each([
    ['000', ['755', '644']],
    ['022', ['755', '644']],
    ['002', ['775', '664']],
    ['077', ['700', '600']],
  ])('can be written by no other user under the umask %s', async (umask, modes) => {
    expect(await build(umask)).toMatchObject({ code: 0 });
    expect([...(await listModes())].toSorted().toReversed()).toEqual(modes);
  });
});

describe('npm run rollout', () => {
  /** As npm runs it: in the folder of its project, whatever the caller's. */
  async function runFrom(caller: string, of = project): Promise<string> {
    const env = { ...process.env, INIT_CWD: caller, npm_package_json: join(of, 'package.json') };
    const { stdout } = await promisify(execFile)(process.execPath, ['scripts/rollout.mjs', 'doctor'], {
      cwd: project,
      env,
    });
    return stdout.trim();
  }

  test('works in the folder of who calls it: their configuration counts, and their files', async () => {
    const caller = await realpath(await mkdtemp(join(tmpdir(), 'credit-rollout-caller-')));
    expect(await runFrom(caller)).toBe(`${caller} doctor`);
    // within the project nothing changes, nor where npm runs a script of another one, which chose the folder itself
    expect(await runFrom(join(project, 'scripts'))).toBe(`${project} doctor`);
    expect(await runFrom(caller, caller)).toBe(`${project} doctor`);
    await rm(caller, { recursive: true });
  });
});

describe('the lock of the set-up', () => {
  /** As of another process that runs; its number may be in a lock that was left. */
  const makeLock = async (seconds: number): Promise<string> => {
    const lock = join(project, '.credit-rollout/setup-lock');
    await mkdir(lock, { recursive: true });
    await writeFile(join(lock, 'pid'), String(process.pid));
    await utimes(lock, new Date(), new Date(Date.now() - seconds * 1_000));
    return lock;
  };

  test('is taken over when nobody has worked under it for a while', async () => {
    await makeLock(60);
    expect(await build('022')).toMatchObject({ code: 0, said: expect.not.stringContaining('Waiting') });
  });

  test('is waited for while somebody works under it, and that is said', async () => {
    const lock = await makeLock(0);
    const end = (): Promise<void> => rm(lock, { recursive: true, force: true });
    const { code, said } = await build('022', (text) => (text.includes('Waiting') ? end() : Promise.resolve()));
    expect([code, said]).toEqual([
      0,
      expect.stringContaining(`Waiting for another set-up, by process ${process.pid} …`),
    ]);
  });
});
