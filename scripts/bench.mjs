// `npm run bench`: set-up, then the benchmark on compiled code, in this same process. Arguments: --help lists them.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

await ensureReady();
const main = join(ROOT, 'dist', 'scripts', 'bench', 'main.js');
process.argv = [process.argv[0], main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
