// Workers and schedulers of a soak, as processes with the documented logins. One of each role is never killed: what it
// takes of memory shows whether it grows.
import { createFakeClock, type FakeClock, faketimeAvailable } from '../support/faketime.js';
import { isRunning } from '../support/server-folder.js';
import { type FleetProcess, spawnFleetProcess } from '../support/spawn-process.js';
import type { Random } from './options.js';
import type { World } from './world.js';

export interface Member {
  readonly role: 'worker' | 'scheduler';
  /** `kept`: it is never killed. `clocked`: it goes by a clock that jumps. */
  readonly kind: 'kept' | 'killed' | 'clocked';
  process: FleetProcess;
  /** It was ended on purpose, or is about to be. */
  state: 'runs' | 'ending';
}

export interface Crew {
  readonly members: readonly Member[];
  readonly clock: FakeClock | undefined;
  kill(random: Random): Promise<void>;
  terminate(random: Random): Promise<void>;
  /** Suspends one for so long. */
  suspend(random: Random, wait: () => Promise<void>): Promise<void>;
  /** Those that ended though nobody ended them; each is started again. */
  findDead(): Promise<readonly string[]>;
  stop(): Promise<readonly string[]>;
}

const PLAN: readonly Pick<Member, 'role' | 'kind'>[] = [
  { role: 'worker', kind: 'kept' },
  { role: 'scheduler', kind: 'kept' },
  { role: 'worker', kind: 'killed' },
  { role: 'scheduler', kind: 'clocked' },
];

export async function startCrew(world: World): Promise<Crew> {
  const clock = faketimeAvailable() ? await createFakeClock() : undefined;
  const outputs: string[] = [];
  const spawn = ({ role, kind }: Pick<Member, 'role' | 'kind'>): Promise<FleetProcess> => {
    const urls = world.logins.urlsOf(`rollout_${role}`, world.queueUrl);
    const spec = { role, concurrency: 2, pollMs: 3_000, queueUrl: world.queueUrl, urls };
    return spawnFleetProcess(spec, kind === 'clocked' ? clock : undefined);
  };
  const members: Member[] = [];
  for (const one of PLAN) members.push({ ...one, process: await spawn(one), state: 'runs' });
  const keepOutput = ({ role, process }: Member, why: string): void => {
    outputs.push(`== ${role} ${process.pid}, ${why}\n${process.output().slice(-200_000)}`);
    if (outputs.length > 20) outputs.splice(0, 1);
  };
  const replace = async (member: Member, why: string, end: () => Promise<unknown>): Promise<void> => {
    member.state = 'ending';
    await end();
    keepOutput(member, why);
    member.process = await spawn(member);
    member.state = 'runs';
  };
  const victim = (random: Random): Member | undefined => {
    const found = members.filter(({ kind, state }) => kind !== 'kept' && state === 'runs');
    return found.length === 0 ? undefined : random.pick(found);
  };
  return {
    members,
    clock,
    kill: async (random) => {
      const member = victim(random);
      if (member) await replace(member, 'killed', () => member.process.kill());
    },
    terminate: async (random) => {
      const member = victim(random);
      if (member) await replace(member, 'terminated', () => member.process.terminate());
    },
    suspend: async (random, wait) => {
      const member = victim(random);
      if (member === undefined) return;
      member.process.signal('SIGSTOP');
      await wait();
      member.process.signal('SIGCONT');
    },
    findDead: async () => {
      const dead = members.filter(({ state, process }) => state === 'runs' && !isRunning(process.pid));
      const found = dead.map(({ role, process }) => `a ${role} ended by itself: ${process.output().slice(-1_500)}`);
      for (const member of dead) await replace(member, 'it ended by itself', async () => undefined);
      return found;
    },
    stop: async () => {
      for (const member of members) {
        keepOutput(member, 'at the end');
        await member.process.stop();
      }
      await clock?.remove();
      return outputs;
    },
  };
}
