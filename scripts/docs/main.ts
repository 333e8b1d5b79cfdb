// `npm run docs`: writes the generated blocks of docs/ and the drawn pictures. --check only compares, and returns 1
// when something is old. --pictures also records `npm start` and draws its picture.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { withFreshDatabases } from './fresh-databases.js';
import { applyBlocks, listCodeBlocks, listGeneratedFiles, listSchemaBlocks } from './pages.js';
import { recordStart } from './record-start.js';
import { THEMES } from './svg.js';
import { drawTerminal } from './terminal-picture.js';

const check = process.argv.includes('--check');

async function put(page: string, wanted: string): Promise<void> {
  const path = join(projectFolder, page);
  if ((await readFile(path, 'utf8').catch(() => undefined)) === wanted) return;
  if (check) process.exitCode = 1;
  else await writeFile(path, wanted);
  console.log(`${check ? 'old' : 'written'}: ${page}`);
}

const blocks = [...listCodeBlocks(), ...(await withFreshDatabases(listSchemaBlocks))];
for (const page of new Set(blocks.map((block) => block.page)))
  await put(page, applyBlocks(page, await readFile(join(projectFolder, page), 'utf8'), blocks));
for (const { path, text } of listGeneratedFiles()) await put(path, text);
if (process.argv.includes('--pictures')) {
  const lines = await recordStart();
  for (const theme of THEMES)
    await put(`docs/pictures/npm-start-${theme.name}.svg`, drawTerminal(theme, 'The output of npm start', lines));
}
