// `npm run lock`: every package of package-lock.json has the hash of its content, so that npm installs exactly what was
// reviewed, wherever it downloads from; and the file names no registry. Asks no network. An argument names another lock
// file, for the test.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROOT } from './setup.mjs';

const SHA512 = /^sha512-[A-Za-z0-9+/]{86}==$/;

const path = resolve(process.argv[2] ?? join(ROOT, 'package-lock.json'));
const text = readFileSync(path, 'utf8');
const packages = Object.entries(JSON.parse(text).packages).filter(([place]) => place !== '');
const problems = packages.flatMap(([place, entry]) => findProblems(place, entry));
for (const problem of problems) console.error(problem);
console.log(`${packages.length} packages, ${problems.length} problems`);
process.exit(problems.length === 0 && packages.length > 0 ? 0 : 1);

function findProblems(place, { version, integrity, ...entry }) {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const found = [];
  if (entry.link || !place.includes('node_modules/')) found.push(`${place} is no package of a registry`);
  else if (integrity === undefined)
    found.push(`${place} has no integrity; add what this prints: npm view ${name}@${version} dist.integrity`);
  else if (!SHA512.test(integrity)) found.push(`${place} has an integrity that is no SHA-512`);
  // npm writes where it downloaded from, which may be a mirror that others cannot reach
  if (entry.resolved !== undefined) found.push(`${place} has a "resolved": remove it`);
  return found;
}
