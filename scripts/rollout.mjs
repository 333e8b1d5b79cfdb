// `npm run -s rollout -- …`: the command line, built first when the build is missing or old. The program runs in this
// same process, so that signals and memory are its own.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

await ensureReady();
const main = join(ROOT, 'dist', 'src', 'cli', 'main.js');
process.argv = [process.argv[0], main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
