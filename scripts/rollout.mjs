// `npm run -s rollout -- …`: the command line, built first when the build is missing or old. The program runs in this
// same process, so that signals and memory are its own.
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureReady, ROOT } from './setup.mjs';

await ensureReady();
enterCallersFolder();
const main = join(ROOT, 'dist', 'src', 'cli', 'main.js');
process.argv = [process.argv[0], main, ...process.argv.slice(2)];
await import(pathToFileURL(main).href);

/** `npm run --prefix APP rollout -- …` changes into APP: the caller's files and its configuration count. */
function enterCallersFolder() {
  const { INIT_CWD: folder, npm_package_json: runs } = process.env;
  if (folder === undefined || runs !== join(ROOT, 'package.json')) return;
  const isOurs = folder === ROOT || folder.startsWith(`${ROOT}${sep}`);
  if (!isOurs) process.chdir(folder);
}
