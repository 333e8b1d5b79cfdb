// `npm pack` and `npm publish` carry the library for gateways and nothing else. Before: builds, and puts a package.json
// in place that names only what the library needs. After: puts ours back. The same when the one before was killed.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

/** What the library imports. */
const LIBRARY_DEPENDENCIES = ['ioredis', 'luxon', 'yaml', 'zod'];

/** The package.json of the library, from ours. */
export function createLibraryManifest({ name, version, description, license, type, engines, exports, files, ...ours }) {
  const dependencies = Object.fromEntries(LIBRARY_DEPENDENCIES.map((one) => [one, ours.dependencies[one]]));
  return { name, version, description, license, type, engines, exports, files, dependencies };
}

const MANIFEST = join(ROOT, 'package.json');
const SAVED = join(ROOT, '.credit-rollout', 'package.json.saved');

function restore() {
  if (existsSync(SAVED)) renameSync(SAVED, MANIFEST);
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  restore();
  if (process.argv[2] === 'before') {
    await ensureReady();
    const text = readFileSync(MANIFEST, 'utf8');
    writeFileSync(SAVED, text);
    writeFileSync(MANIFEST, `${JSON.stringify(createLibraryManifest(JSON.parse(text)), null, 2)}\n`);
  }
}
