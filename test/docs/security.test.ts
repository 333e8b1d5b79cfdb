// SECURITY.md: what it says of versions, checks and places is so. Its links are checked with those of all documents.
import { describe, expect, test } from 'vitest';
import { SUPPORTED_POSTGRES } from '../../src/engine/setup/init-cell.js';
import { listDocumentSections, readDocument, readSection } from './read-document.js';

const text = await readDocument('SECURITY.md');
const project: { scripts: Record<string, string>; engines: { node: string } } = JSON.parse(
  await readDocument('package.json'),
);

describe('SECURITY.md', () => {
  test('says how to report, what is promised, which versions are corrected and what we depend on', () => {
    expect(listDocumentSections(text).map(({ heading }) => heading)).toEqual([
      'Security',
      'How to report',
      'What is promised',
      'Supported versions',
      'What we depend on',
    ]);
    for (const { heading, lines } of listDocumentSections(text).slice(1))
      expect(lines.filter((line) => line.trim() !== '').length, heading).toBeGreaterThan(1);
  });

  test('names the versions that are supported', () => {
    const { oldest, newest } = SUPPORTED_POSTGRES;
    const node = project.engines.node.replace('>=', '');
    expect(readSection(text, 'Supported versions').join('\n')).toContain(
      `PostgreSQL ${oldest} to ${newest} and Node ${node} or newer`,
    );
  });

  test('names scripts that exist', () => {
    const named = [...text.matchAll(/`npm run ([\w:-]+)`/gu)].map(([, name = '']) => name);
    expect(named).toContain('lock');
    expect(named.filter((name) => !(name in project.scripts))).toEqual([]);
  });

  test('leads to a threat model that says what is not enforced, and to a changelog with corrections', async () => {
    const model = await readDocument('docs/explanation/threat-model.md');
    expect(readSection(model, 'What is not enforced yet').join('\n')).toMatch(/^- /mu);
    expect(listDocumentSections(await readDocument('CHANGELOG.md')).map(({ heading }) => heading)).toContain(
      'Security',
    );
  });
});
