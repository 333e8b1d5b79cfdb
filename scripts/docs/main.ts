// `npm run docs`: writes the generated blocks of docs/; with --check it only compares, and returns 1 when one is old.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { withFreshDatabases } from './fresh-databases.js';
import { applyBlocks, listCodeBlocks, listSchemaBlocks } from './pages.js';

const check = process.argv.includes('--check');
const blocks = [...listCodeBlocks(), ...(await withFreshDatabases(listSchemaBlocks))];
for (const page of new Set(blocks.map((block) => block.page))) {
  const path = join(projectFolder, page);
  const text = await readFile(path, 'utf8');
  const wanted = applyBlocks(page, text, blocks);
  if (wanted === text) continue;
  if (check) process.exitCode = 1;
  else await writeFile(path, wanted);
  console.log(`${check ? 'old' : 'written'}: ${page}`);
}
