// SQL that people paste names what it names, whatever a terminal can show.
import fc from 'fast-check';
import pg from 'pg';
import { expect, test } from 'vitest';
import { toPastedSql } from '../../src/kernel/pasted-sql.js';
import { toPrintable } from '../../src/kernel/printable.js';
import { hostileText } from '../cli/hostile/texts.js';
import { adminUrl } from '../support/postgres.js';

test('leaves every name that can be shown as it is', () => {
  const sql = 'GRANT SELECT ON "Desk.Live"."it\'s ""so""" TO "ana";'.replaceAll(' ""', '""');
  expect(toPastedSql(sql)).toBe(sql);
});

test('writes a name that PostgreSQL reads as the same, and that no terminal changes or breaks', async () => {
  // a name has 63 bytes
  const names = fc.sample(hostileText, { numRuns: 150, seed: 3 }).map((text) => [...text].slice(0, 15).join(''));
  const client = new pg.Client({ connectionString: adminUrl() });
  await client.connect();
  try {
    const pasted = names.map((name) => toPastedSql(client.escapeIdentifier(name)));
    for (const one of pasted) {
      expect(toPrintable(one)).toBe(one);
      expect(one).not.toMatch(/\s/u);
    }
    const { fields } = await client.query(`select ${pasted.map((name) => `1 as ${name}`).join(', ')}`);
    expect(fields.map(({ name }) => name)).toEqual(names);
  } finally {
    await client.end();
  }
});
