// The real engine as one file of JavaScript, in which every function of src/stores/control and src/stores/cell is the
// model's, and every function of the domain and the engine can be replaced by a fault that a test plants.
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { FOREIGN_DRIVERS, REQUIRE } from '../../support/bundle-process.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SEAMS = join(ROOT, 'test/simulation/engine/seams.ts');
const STORES = /^src\/stores\/(control|cell)\//u;
/** Of the domain what decides; the rest of it is called too often. */
const OTHERS = /^src\/(domain\/.*\/decide-[\w-]+|engine\/.*)\.ts$/u;
const FUNCTIONS = /^export (?:async )?function (\w+)|^export const (\w+) = (?:async )?(?:<[^>]*>)?\(/gmu;
const REAL = '?real';

/** More than any of these functions takes; a spread would cost more than what many of them do. */
const GIVEN = 'a, b, c, d, e, f';

/** A module that has all exports of the real one, and asks the seams before each of its functions. */
function wrap(path: string, text: string): string {
  const isStore = STORES.test(relative(ROOT, path));
  const names = [...new Set([...text.matchAll(FUNCTIONS)].map(([, one, other]) => one ?? other ?? ''))];
  const real = JSON.stringify(`${path}${REAL}`);
  const lines = names.map((name) => {
    const stands = `export function ${name}(${GIVEN}) { if (seams.isPlain) {`;
    return isStore
      ? `${stands} const known = seams.stores.${name}; if (known !== undefined) return known(${GIVEN}); }
          return callStore('${name}', arguments, real.${name}); }`
      : `${stands} return (seams.replaced.${name} ?? real.${name})(${GIVEN}); }
          return callOther('${name}', real.${name}, arguments); }`;
  });
  return [
    `export * from ${real};`,
    `import * as real from ${real};`,
    `import { callOther, callStore, seams } from ${JSON.stringify(SEAMS)};`,
    ...lines,
  ].join('\n');
}

const model: Plugin = {
  name: 'model',
  setup: (pluginBuild) => {
    pluginBuild.onResolve({ filter: /\?real$/ }, ({ path }) => ({
      path: path.slice(0, -REAL.length),
      namespace: 'real',
    }));
    pluginBuild.onLoad({ filter: /\.ts$/, namespace: 'real' }, ({ path }) => ({
      contents: readFileSync(path, 'utf8'),
      loader: 'ts',
      resolveDir: resolve(path, '..'),
    }));
    pluginBuild.onLoad({ filter: /\.ts$/, namespace: 'file' }, ({ path }) => {
      const place = relative(ROOT, path);
      if (!STORES.test(place) && !OTHERS.test(place)) return undefined;
      return { contents: wrap(path, readFileSync(path, 'utf8')), loader: 'js', resolveDir: resolve(path, '..') };
    });
    pluginBuild.onResolve({ filter: /\.js$/ }, ({ path, resolveDir, namespace }) =>
      namespace === 'real' && path.startsWith('.')
        ? { path: resolve(resolveDir, path.replace(/\.js$/u, '.ts')), namespace: 'file' }
        : undefined,
    );
  },
};

/** Writes the bundle of `entry` to `outfile`. */
export async function bundleEngine(entry: string, outfile: string): Promise<void> {
  await build({
    ...{ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', external: FOREIGN_DRIVERS },
    banner: { js: REQUIRE },
    plugins: [model],
  });
}
