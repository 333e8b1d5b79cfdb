// `npm pack` and `npm publish` carry the library for gateways and nothing else. Before: builds, and puts a package.json
// in place that names only what the library needs. After: puts ours back; so does the next one, where this was killed.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

/** What the library imports. */
const LIBRARY_DEPENDENCIES = ['ioredis', 'luxon', 'yaml', 'zod'];
const saved = (root) => join(root, '.credit-rollout', 'package.json.saved');

/** Puts the package.json of the library in the place of ours. */
export function replaceManifest(root) {
  const path = join(root, 'package.json');
  const text = readFileSync(path, 'utf8');
  const { name, version, description, license, type, engines, exports, files, ...ours } = JSON.parse(text);
  const dependencies = Object.fromEntries(LIBRARY_DEPENDENCIES.map((one) => [one, ours.dependencies[one]]));
  const library = { name, version, description, license, type, engines, exports, files, dependencies };
  mkdirSync(join(root, '.credit-rollout'), { recursive: true });
  writeFileSync(saved(root), text);
  writeFileSync(path, `${JSON.stringify(library, null, 2)}\n`);
}

/** Puts ours back, where it was replaced. */
export function restoreManifest(root) {
  if (existsSync(saved(root))) renameSync(saved(root), join(root, 'package.json'));
}

if (process.argv[1] !== undefined && fileURLToPath(import.meta.url) === process.argv[1]) {
  restoreManifest(ROOT);
  if (process.argv[2] === 'before') {
    await ensureReady();
    replaceManifest(ROOT);
  }
}
