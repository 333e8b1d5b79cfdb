// `rate-card check` on cards that pass, fail, or have nothing to check. No database.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sampleCard, sampleCardText } from '../../domain/rate-card/sample-card.js';
import { runCommand } from '../captured-io.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credit-rollout-card-'));
});
afterAll(() => rm(folder, { recursive: true }));

const editions = sampleCardText.slice(0, sampleCardText.indexOf('cases:'));

async function writeCard(name: string, text: string): Promise<string> {
  const path = join(folder, `${name}.yaml`);
  await writeFile(path, text);
  return path;
}

describe('rate-card check', () => {
  test('counts what no case covers and does not fail for it', async () => {
    const { code, out } = await runCommand('rate-card', 'check', 'src/sample/rate-card.yaml');
    const count = sampleCard.cases.length;
    expect(code).toBe(0);
    expect(out).toContain(`✔ desk-2025-10: 8 editions, ${count} of ${count} golden cases pass`);
    expect(out).toMatch(/No case covers \d+ of the 188 branches/u);
    expect(out).toMatch(/^ {2}express +24 +10 +14$/mu);
  });

  test('lists the uncovered branches with --json, as many as it counts', async () => {
    const { code, out } = await runCommand('rate-card', 'check', 'src/sample/rate-card.yaml', '--json');
    const { coverage, uncovered, ...card } = JSON.parse(out);
    expect(code).toBe(0);
    expect(card).toMatchObject({ card_hash: sampleCard.hash, cases: sampleCard.cases.length, failed: [] });
    const open = coverage.map((line: { branches: number; covered: number }) => line.branches - line.covered);
    expect(open.reduce((sum: number, one: number) => sum + one, 0)).toBe(uncovered.length);
    expect(Object.keys(uncovered[0])).toEqual(['edition', 'paid', 'winner', 'purchased', 'light_agents', 'negotiated']);
  });

  test('fails for a case with another result, and still counts', async () => {
    const wrong = '  - { name: wrong, org: { edition: standard, agents: 300 }, expect: { total_credits: 1 } }\n';
    const path = await writeCard('wrong', `${editions}cases:\n${wrong}`);
    const { code, out } = await runCommand('rate-card', 'check', path);
    expect(code).toBe(1);
    expect(out).toContain('✖ desk-2025-10: 8 editions, 0 of 1 golden cases pass');
    expect(out).toContain('Case 1 (wrong) fails: total_credits is 150000, expected 1.');
    expect(out).toContain('No case covers 187 of the 188 branches');
  });

  test('reports that nothing was checked for a card without cases', async () => {
    const { code, out } = await runCommand('rate-card', 'check', await writeCard('bare', editions));
    expect(code).toBe(0);
    expect(out).toContain(
      '! desk-2025-10: 8 editions, and no golden cases: its rates were read, but nothing was checked',
    );
    expect(out).not.toContain('✔');
  });

  test('reports it when no branch is left', async () => {
    const card = `name: tiny\nlightAgentsCountAsUsers: false\nunpaid: free\neditions:\n  free: { credits: { base: 5, perAgent: 0 }, concurrency: 1, legacy: { flat: 5 } }\ncases:\n`;
    const each = ['true', 'false'].flatMap((paid) =>
      [0, 1].flatMap((light) =>
        [0, 1].flatMap((bought) =>
          ['null', '0', '9'].map(
            (limit) =>
              `  - { org: { edition: free, paid: ${paid}, light_agents: ${light}, additional_credits: ${bought}, legacy_limit: ${limit} }, expect: { base_credits: 5 } }\n`,
          ),
        ),
      ),
    );
    const { code, out } = await runCommand('rate-card', 'check', await writeCard('tiny', card + each.join('')));
    expect(code).toBe(0);
    expect(out).toContain('Every one of the 20 branches that it can produce has a case.');
  });
});
