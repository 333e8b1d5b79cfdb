// Plans, nights and undos of the model against a real cell: random lives of a few orgs, with the same verbs of the
// engine on both, and after each the same allotments, causes, findings and orgs set aside.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleEngine } from './engine/bundle.js';
import { night, rollOut, undoLast } from './model/histories.js';
import { createRealCell } from './model/real-cell.js';

type Bundle = typeof import('./fixtures/simulate.js');
type Deed = readonly [kind: string, n: number];

const folder = mkdtempSync(join(tmpdir(), 'compared-histories-'));
let bundle: Bundle;
beforeAll(async () => {
  const file = join(folder, 'simulate.mjs');
  await bundleEngine(fileURLToPath(new URL('./fixtures/simulate.ts', import.meta.url)), file);
  bundle = (await import(pathToFileURL(file).href)) as Bundle;
});
afterAll(() => rmSync(folder, { recursive: true }));

const EDITIONS = ['standard', 'enterprise', 'retired'] as const;
const edits = (most: number) => fc.array(fc.tuple(fc.constant('edit'), fc.nat({ max: 999 })), { maxLength: most });
const joins = fc.array(fc.tuple(fc.constant('join'), fc.nat({ max: 99 })), { maxLength: 2 });
const chapter = fc
  .tuple(edits(3), joins, fc.constantFrom('plan', 'rollOut', 'night', 'night', 'undo', 'undo'))
  .map(([edited, joined, kind]): Deed[] => [...edited, ...joined, [kind, 0]]);
/** Whatever comes: a plan that some orgs are not like any more, a night that heals, an undo with conflicts. */
const life = fc
  .tuple(edits(4), joins, edits(4), edits(3), fc.array(chapter, { minLength: 5, maxLength: 5 }))
  .map(([first, joined, second, third, chapters]): readonly Deed[] => [
    ...[['plan', 0] as Deed, ...first, ...joined, ['rollOut', 0] as Deed, ...second, ['night', 0] as Deed],
    ...[...third, ['undo', 0] as Deed, ...chapters.flat()],
  ]);
const LIVES = 4;
/** Always the same lives; others are for people to try. */
const SEED = 7;

async function compare(deeds: readonly Deed[]): Promise<readonly string[]> {
  const model = bundle.createModelCell();
  const real = await createRealCell();
  const done: string[] = [];
  const put = async (orgId: string, org: Parameters<typeof real.put>[1]): Promise<void> => {
    await model.put(orgId, org);
    await real.put(orgId, org);
  };
  const plan = async () => ({ model: await model.makePlan(), real: await real.makePlan() });
  let planned: Awaited<ReturnType<typeof plan>> | undefined;
  const both = async (of: (cell: typeof model | typeof real) => Promise<readonly string[]>): Promise<void> => {
    const [asked, given] = [await of(model), await of(real)];
    done.push(given.join(' '));
    expect(asked, done.join('\n')).toEqual(given);
  };
  try {
    for (const [orgId, org] of model.orgs()) await real.put(orgId, org);
    for (const [kind, n] of deeds) {
      done.push(`${kind} ${n}`);
      const ids = [...model.orgs().keys()];
      const edited = ids[n % Math.max(1, ids.length)] ?? '';
      const org = model.orgs().get(edited);
      const joining = `a${1 + (n % 8)}`;
      if (kind === 'edit' && org !== undefined) await put(edited, bundle.editOf(org, n >> 3));
      if (kind === 'join' && !ids.includes(joining))
        await put(joining, bundle.makeProductOrg({ edition: EDITIONS[n % EDITIONS.length] ?? null, paid: n % 5 > 0 }));
      if (kind === 'plan') planned = await plan();
      if (kind === 'rollOut') {
        const used = planned ?? (await plan());
        await both((cell) => rollOut(cell, cell === model ? used.model : used.real));
        planned = undefined;
      }
      if (kind === 'night') await both(night);
      if (kind === 'undo') await both(undoLast);
      if (!['edit', 'join'].includes(kind)) expect(await model.look(), done.join('\n')).toEqual(await real.look());
    }
  } finally {
    await real.drop();
  }
  return done;
}

test('plans, nights and undos of the model are those of a cell', async () => {
  const lives = fc.asyncProperty(life, async (deeds) => {
    const done = await compare(deeds);
    expect(done).toContain('nothing_pending');
  });
  await fc.assert(lives, { numRuns: LIVES, seed: SEED, endOnFailure: true });
});
