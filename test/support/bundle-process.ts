// A program of the tests as one file of JavaScript, for processes of its own: a loader for TypeScript would take seconds
// at each start. Lies in the project, for its packages; goes with this process.
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

async function bundle(entry: string): Promise<string> {
  const outfile = join(BUNDLES, `${basename(entry, '.ts')}.${process.pid}.mjs`);
  process.once('exit', () => rmSync(outfile, { force: true }));
  await build({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' });
  return outfile;
}
