// The simulation is worth what its model is worth: random operations are asked of the model and of the real stores on
// real databases, and both must answer the same.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { saveDataCenter } from '../../src/stores/control/data-centers.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { OPERATIONS } from './model/cell-operations.js';
import { compareCell, makePlans } from './model/compared-cell.js';
import { CONTROL_OPERATIONS, compareControl } from './model/compared-control.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [{}, {}, {}, {}] }] });
});
afterAll(() => fleet.drop());

const MOVES = ['restart', 'failover'] as const;
/** Histories, and operations of each: about 200 of a cell and 150 of control. */
const HISTORIES = 5;
const LOOK_EVERY = 3;
/** A canary is applied and verified, and the first range is applied: the rest begins there. */
const BEGIN = [
  ...[['openRun', 1] as const, ['openAgain', 0] as const, ['workOn', 0] as const, ['openAgain', 1] as const],
  ...[['verify', 1] as const, ['passCanary', 0] as const, ['openAgain', 0] as const, ['workOn', 0] as const],
];
const anyAsked = (names: readonly string[], length: number) => {
  const asked = fc.tuple(fc.constantFrom(...names), fc.nat({ max: 999 }));
  return fc.array(asked, { minLength: length, maxLength: length, size: 'max' });
};
const show = (value: unknown): string => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one));

interface Compared<State, Operation> {
  readonly state: State;
  ask(operation: Operation): Promise<{ readonly model: unknown; readonly real: unknown }>;
  observe(): Promise<{ readonly model: unknown; readonly real: unknown }>;
}

/** Asks both the same; throws with the last operations where they differ. Returns every answer. */
async function compare<State, Operation>(
  asked: readonly (readonly [string, number])[],
  operations: Readonly<Record<string, (state: State, n: number) => Operation>>,
  compared: Compared<State, Operation>,
  move: (name: string) => Promise<void> = async () => undefined,
): Promise<readonly string[]> {
  const done: string[] = [];
  for (const [at, [name, n]] of asked.entries()) {
    const operation = operations[name]?.(compared.state, n);
    if (operation === undefined) await move(name);
    else {
      const { model, real } = await compared.ask(operation);
      done.push(`${name} ${n}: ${show(real)}`);
      expect(model, done.slice(-8).join('\n')).toEqual(real);
    }
    if (at % LOOK_EVERY > 0 && at < asked.length - 1) continue;
    const { model, real } = await compared.observe();
    expect(model, done.slice(-8).join('\n')).toEqual(real);
  }
  return done;
}

test('the model of a cell answers as a cell does', async () => {
  const cell = fleet.cell(0);
  const plans = await makePlans(cell);
  const seen: string[] = [];
  const answers = fc.asyncProperty(anyAsked([...Object.keys(OPERATIONS), ...MOVES], 40), async (asked) => {
    const compared = await compareCell(cell, plans, ['1', '2', '3', '4']);
    const move = (name: string) => compared.move(name as (typeof MOVES)[number]);
    seen.push(...(await compare([...BEGIN, ...asked], OPERATIONS, compared, move)));
  });
  await fc.assert(answers, { numRuns: HISTORIES, endOnFailure: true });
  expect(
    seen.some((one) => one.startsWith('workOn') && one.includes('"kind":"range","ended":true,"again":false')),
  ).toBe(true);
});

test('the model of control answers as control does', async () => {
  const { engine, control } = fleet;
  const { planId } = await fleet.plan(fleet.cell(0));
  await engine.control.inTransaction((tx) => saveDataCenter(tx, { id: 'zz', position: 1, zone: 'UTC' }));
  const seen: string[] = [];
  const answers = fc.asyncProperty(anyAsked(Object.keys(CONTROL_OPERATIONS), 30), async (asked) => {
    const compared = await compareControl(engine.control, control, planId ?? '');
    seen.push(...(await compare([['transitionTwice', 2], ...asked], CONTROL_OPERATIONS, compared)));
  });
  await fc.assert(answers, { numRuns: HISTORIES, endOnFailure: true });
  expect(seen.some((one) => one.startsWith('transitionTwice') && one.includes('[true,false]'))).toBe(true);
});
