// What can happen in a schedule, done to the world.

import { SLOT_STAGES } from '../../../src/domain/rollout/stage.js';
import type { EngineContext } from '../../../src/engine/context.js';
import type { CellDb } from './cell-state.js';
import { apply, approve, freezeOne, intend, moveCutover, planAgain, retry, undo, unfreezeOne } from './people.js';
import type { Process } from './process.js';
import { editOrg, feedOnce, signUp } from './product.js';
import type { Happening } from './schedule.js';
import { type Counter, goOn, step, stepAll, suspend } from './steps.js';
import { contextOf, IDS, kill, spawn, type World } from './world.js';

const STOPS = ['poll', 1, 'commit', 2, 'poll', 1, 'commit', 6] as const;
const WAITS_MS = [1_000, 5_000, 20_000, 130_000, 900_000, 3_600_000, 6 * 3_600_000] as const;
const JUMPS_MS = [-3_600_000, -60_000, -2_000, 2_000, 60_000, 3_600_000] as const;
const AROUND_MS = [-2_000, -1, 0, 1, 500, 3_000] as const;
const LOST = [1, 2, 3, 5, 8, 15, 30, 60] as const;
const STOPS_OF_A_PERSON = 20;
const LOOKS = 3;
const PROBES = ['busy', 'silent', 'calm'] as const;
/** What an operator changes while a process is about to do what it decided before; null: nothing. */
const CHANGES = ['pause', 'abort', 'freeze', 'run', 'pause', 'retry', 'apply', null] as const;

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

const servers = ({ processes }: World): readonly Process[] =>
  processes.filter(({ kind }) => kind === 'scheduler' || kind === 'worker');

type Verb = (context: EngineContext) => Promise<unknown>;

/** Somebody gives a command; how fast it is done is up to the schedule. */
const person = (world: World, verb: Verb): void => void command(world, verb);
const command = (world: World, verb: Verb): Process =>
  spawn(world, 'person', (process) => verb(contextOf(world, process)));

export async function happen(world: World, { kind, who, much }: Happening, counter: Counter): Promise<void> {
  const id = pick(IDS, who);
  const cell = pick(world.cells, who);
  const process = pick(servers(world), who);
  const other = pick(world.processes, much);
  switch (kind) {
    case 'step':
      return step(world, who, pick(STOPS, much), counter);
    case 'together':
      return stepAll(world, pick(STOPS, much), counter);
    case 'wait':
      world.clock.nowMs += pick(WAITS_MS, much);
      return;
    case 'instant':
      return waitForInstant(world, cell, pick(AROUND_MS, much));
    case 'suspend':
      if (process?.waits)
        await suspend(world, process, { stops: 1 + (much % 16), happenings: 1 + 2 * (much >> 4) }, counter);
      return;
    case 'overtake':
      return process?.waits ? overtake(world, process, { who, much }, counter) : undefined;
    case 'edit':
      return product(world, (by) => editOrg(cell, by, Math.floor(much / 7), much));
    case 'signUp':
      return product(world, (by) => signUp(cell, by, much % 3 > 0));
    case 'feed':
      return product(world, (by) => feedOnce(cell, by));
    case 'apply':
      return person(world, (context) => apply(context, id));
    case 'pause':
      return person(world, (context) => intend(context, id, 'pause'));
    case 'resume':
      return person(world, (context) => intend(context, id, 'run'));
    case 'abort':
      return person(world, (context) => intend(context, id, 'abort'));
    case 'retry':
      return person(world, (context) => retry(context, id));
    case 'approve':
      return person(world, (context) => approve(context, id));
    case 'freeze':
      return person(world, (context) => freezeOne(context, id));
    case 'unfreeze':
      return person(world, (context) => unfreezeOne(context, id));
    case 'undo':
      spawn(world, 'person', (by) => undo(world, by, id));
      return;
    case 'cutover':
      return person(world, (context) => moveCutover(context, world, id, pick(WAITS_MS, much)));
    case 'restore':
      cell.facts.wentBack = true;
      cell.restore(pick(LOST, much), much % 3 === 0 ? 'recovered' : 'copied');
      return who >= 4 ? goOnWithTheCopy(world, cell, much, counter) : undefined;
    default:
      return fail(world, { kind, who, much }, { cell, process, other });
  }
}

/** By the clock of the cell, of the cut-over that it knows, or that control has for it. */
function waitForInstant(world: World, cell: CellDb, aroundMs: number): void {
  const row = world.control.state.dataCenters.find(({ id }) => id === cell.name);
  const at = cell.state.gate.effectiveAt ?? row?.cutoverAt;
  if (at != null) world.clock.nowMs = Math.max(world.clock.nowMs, at.getTime() - cell.skewMs + aroundMs);
}

/**
 * A process stops where it is about to do what it decided, or about to commit; an operator changes what is wanted, all
 * others act on that, and then it goes on: who comes late must find that out.
 */
async function overtake(
  world: World,
  late: Process,
  { who, much }: Pick<Happening, 'who' | 'much'>,
  counter: Counter,
): Promise<void> {
  const stops = late.kind === 'worker' ? 'commit' : 2 + (much % 8);
  // a worker looks at one cell after the other
  for (let looks = 0; looks < LOOKS && (looks === 0 || (stops === 'commit' && late.at === 'poll')); looks += 1)
    await goOn(world, late, stops, counter);
  const { dataCenters } = world.control.state;
  const id = dataCenters.find(({ stage }) => SLOT_STAGES.includes(stage))?.id ?? pick(IDS, much);
  const change = pick(CHANGES, much >> 3);
  late.asleep = 1;
  if (change !== null) await goOn(world, changeMind(world, id, change), STOPS_OF_A_PERSON, counter);
  for (let round = 0; round <= who >> 2; round += 1) await stepAll(world, 'poll', counter);
  late.asleep = 0;
  await goOn(world, late, 'poll', counter);
}

function changeMind(world: World, id: string, change: NonNullable<(typeof CHANGES)[number]>): Process {
  switch (change) {
    case 'freeze':
      return command(world, (context) => freezeOne(context, id));
    case 'retry':
      return command(world, (context) => retry(context, id));
    case 'apply':
      return command(world, (context) => apply(context, id));
    default:
      return command(world, (context) => intend(context, id, change));
  }
}

/** Before anything of ours looks again, the product has edited the older copy, and somebody has planned on it. */
async function goOnWithTheCopy(world: World, cell: CellDb, much: number, counter: Counter): Promise<void> {
  const edit = spawn(world, 'product', (by) => editOrg(cell, by, much, much >> 3));
  await goOn(world, edit, STOPS_OF_A_PERSON, counter);
  const plan = spawn(world, 'person', (by) => planAgain(contextOf(world, by), cell, by));
  await goOn(world, plan, STOPS_OF_A_PERSON, counter);
}

const product = (world: World, deed: (by: Process) => Promise<void>): void => {
  spawn(world, 'product', deed);
};

interface Struck {
  readonly cell: CellDb;
  readonly process: Process | undefined;
  readonly other: Process | undefined;
}

function fail(world: World, { kind, who, much }: Happening, { cell, process, other }: Struck): void {
  switch (kind) {
    case 'kill':
    case 'killCommitted':
      if (other !== undefined) kill(world, other, kind === 'kill' ? 'rollback' : 'commit');
      return;
    case 'loseAnswer':
      if (other !== undefined) other.losesAnswer = true;
      return;
    case 'cutOff':
      process?.cutOff.add(pick(['control', ...IDS], much));
      return;
    case 'reconnect':
      for (const one of world.processes) one.cutOff.clear();
      return;
    case 'loseQueue':
      world.queue = [];
      return;
    case 'repeatQueue':
      world.queue = [...world.queue, ...world.queue.toReversed()].slice(0, 30);
      return;
    case 'check':
      cell.facts.probe = pick(PROBES, much);
      return;
    case 'jump':
      (who % 3 === 2 ? world.control : cell).skewMs += pick(JUMPS_MS, much);
      return;
    case 'restart':
      (who % 3 === 2 ? world.control : cell).restart();
      return;
    case 'failOver':
      cell.facts.wentBack = true;
      cell.failOver(pick(LOST, much));
      return;
    case 'restoreControl':
      world.isControlRestored = true;
      world.control.restore(pick(LOST, much), 'copied');
      return;
    case 'policy': {
      const { state } = world.control;
      const approval = much % 2 === 0 ? 'required' : 'auto';
      world.control.state = { ...state, policy: new Map([...state.policy, ['rollout.approval', approval]]) };
      return;
    }
    default:
      throw new Error(`nothing happens at ${kind}`);
  }
}
