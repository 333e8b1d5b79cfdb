// `npm run docs`: set-up, then the generated parts of docs/ are written again. `npm run docs -- --check` writes nothing.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

await ensureReady();
const main = join(ROOT, 'dist', 'scripts', 'docs', 'main.js');
process.argv = [process.argv[0], main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
