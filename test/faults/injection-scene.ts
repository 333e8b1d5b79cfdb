// A rollout whose every database is behind a proxy that lets statements fail, and commands run against it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import { errorCodeOf, explainFailure } from '../../src/engine/database-errors.js';
import { isRolloutError } from '../../src/kernel/rollout-error.js';
import { readEnvironment } from '../../src/platform/environment.js';
import { captureIo, type RanCommand, runCommand } from '../cli/captured-io.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { type InjectingProxy, startInjectingProxy } from '../support/injecting-proxy.js';
import { createPeople, type TestPeople } from '../support/person.js';
import { adminUrl } from '../support/postgres.js';
import { waitFor } from '../support/wait.js';
import { FAULTS, type Fault, findWrong, MARKER } from './injected-faults.js';

/** Of two people with logins of their own, and of the owner of everything. */
export const [ALICE, BOB, OWNER] = [0, 1, 2] as const;
export type Asker = typeof ALICE | typeof BOB | typeof OWNER;

interface Attempt extends RanCommand {
  readonly happened: boolean;
  readonly statements: number;
}

const NEVER: Fault = { sqlstate: '00000', as: 'error' };
/** It worked, or was asked for. */
const DONE: readonly number[] = [0, 4];
/** What says that there is nothing to do any more: it was done, and only what comes after it failed. */
const ALREADY = /"(reconcile_asked|data_center_busy|wrong_stage|override_decided|exception_open|nothing)"/u;
/**
 * Errors that a command meets in a run; the next command goes on with the next classes. CREDIT_ROLLOUT_FAULTS=14 shows
 * every class to every command, which takes minutes.
 */
const ATTEMPTS = Number(readEnvironment('CREDIT_ROLLOUT_FAULTS') ?? '1');
/** Of one that sends many statements, as `init` and `doctor` do. */
const ATTEMPTS_OF_LONG = Math.ceil(ATTEMPTS / 2);
const LONG = 150;
const attemptsFor = (statements: number): number => (statements > LONG ? ATTEMPTS_OF_LONG : ATTEMPTS);

const classes = Object.values(FAULTS);

export class InjectionScene {
  /** What was not as it must be, of everything that ran. */
  readonly wrong: string[] = [];
  /** Command lines that ran. */
  readonly ran: (readonly string[])[] = [];
  #turns = 0;

  private constructor(
    readonly fleet: Fleet,
    private readonly people: TestPeople,
    private readonly proxy: InjectingProxy,
    private readonly folder: string,
    private readonly configs: readonly string[],
  ) {}

  static async create(): Promise<InjectionScene> {
    const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-injected-'));
    const proxy = await startInjectingProxy(adminUrl());
    const fleet = await createFleet({ orgs: 60, queue: 'postgres', through: proxy.through });
    const people = await createPeople(fleet, 'alice', 'bob');
    const controls = [...people.people.map(({ controlUrl }) => controlUrl), fleet.controlUrl];
    const configs = await Promise.all(
      controls.map(async (control, n) => {
        const path = join(folder, `${n}.yaml`);
        const { zone, id } = fleet.cell(0).dataCenter;
        const lines = [
          `controlDatabase: "${proxy.through(control)}"`,
          `queue: "${proxy.through(fleet.queueUrl ?? '')}"`,
          `rateCard: ${resolve('src/sample/rate-card.yaml')}`,
          'rollout: { batchSize: 100 }',
          `dataCenters: [{ id: ${id}, zone: ${zone}, database: "${proxy.through(fleet.cell(0).url)}", source: public.orgs }]`,
        ];
        await writeFile(path, lines.join('\n'));
        return path;
      }),
    );
    return new InjectionScene(fleet, people, proxy, folder, configs);
  }

  run(person: Asker, ...args: readonly string[]): Promise<RanCommand> {
    return runCommand(...args, '--json', '--reason', 'a test', '--config', this.configs[person] ?? '');
  }

  /** A command that is meant to work, without errors; its document. */
  async expectDone(person: Asker, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const ended = await this.run(person, ...args);
    this.#expectIsDone(args, ended);
    return JSON.parse(ended.out);
  }

  /** A command that changes nothing. */
  async read(person: Asker, ...args: readonly string[]): Promise<void> {
    this.ran.push(args);
    const { statements } = await this.#attempt(person, args, NEVER, 0);
    const attempts = attemptsFor(statements);
    for (let n = 0; n < attempts; n += 1) {
      const fault = this.#nextFault();
      const position = fault.as === 'refused' ? 1 + (this.#turns % 2) : this.#choosePosition(n, attempts, statements);
      await this.#attempt(person, args, fault, position);
    }
  }

  /**
   * Errors of as many classes as a command takes, spread over its statements. What was not done is done by the same
   * command; `prepare` makes what it needs, and is called again where it was done in spite of the error.
   */
  async change(person: Asker, prepare: () => Promise<readonly string[]>): Promise<RanCommand> {
    let args = await prepare();
    this.ran.push(args);
    const { statements, ...first } = await this.#attempt(person, args, NEVER, 0);
    this.#expectIsDone(args, first);
    args = await prepare();
    const attempts = attemptsFor(statements);
    for (let n = 0; n < attempts; n += 1) {
      const fault = this.#nextFault();
      const position = fault.as === 'refused' ? 1 : this.#choosePosition(n, attempts, statements);
      const ended = await this.#attempt(person, args, fault, position);
      // whether a commit was done that nobody answered, only another look tells
      if (DONE.includes(ended.code) || fault.as === 'unanswered') args = await prepare();
    }
    const last = await this.run(person, ...args);
    if (!ALREADY.test(last.out)) this.#expectIsDone(args, last);
    return last;
  }

  changeAgain(person: Asker, ...args: readonly string[]): Promise<RanCommand> {
    return this.change(person, async () => args);
  }

  /** A process that runs until it is stopped: it fails with a code, or says what it waits for and goes on. */
  async serve(person: Asker, ...args: readonly string[]): Promise<void> {
    this.ran.push(args);
    for (let n = 0; n < Math.max(2, ATTEMPTS); n += 1) {
      const fault = this.#nextFault();
      const position = fault.as === 'refused' ? 1 + (n % 2) : 2 + 7 * n;
      const io = captureIo();
      this.proxy.inject({ ...fault, at: position, marker: MARKER });
      const ended = runCli([...args, '--config', this.configs[person] ?? ''], io);
      await waitFor('its start', async () => /serving|running|next:/u.test(io.output() + io.errors()));
      io.interrupt('SIGTERM');
      const shown = { code: await ended, out: '', err: io.output() + io.errors() };
      this.proxy.clear();
      this.#keepWrong(args, fault, position, shown);
    }
  }

  /** Work of a process while its n-th statement fails; what it throws must be known by a code. */
  async fail(what: string, n: number, work: () => Promise<unknown>): Promise<void> {
    const fault = this.#nextFault();
    this.proxy.inject({ ...fault, at: n, marker: MARKER });
    const thrown = await work().then(
      () => undefined,
      (error: unknown) => error,
    );
    this.proxy.clear();
    if (thrown === undefined) return;
    const known = isRolloutError(explainFailure(thrown)) && errorCodeOf(thrown) !== 'other';
    if (!known) this.wrong.push(`${what} (${fault.sqlstate} ${fault.as} at ${n}): ${String(thrown)}`);
  }

  async drop(): Promise<void> {
    await this.proxy.stop();
    await this.people.drop();
    await this.fleet.drop();
    await rm(this.folder, { recursive: true });
  }

  /** The command while one statement fails. What is wrong is collected. */
  async #attempt(person: Asker, args: readonly string[], fault: Fault, n: number): Promise<Attempt> {
    this.proxy.inject({ ...fault, at: n, marker: MARKER });
    const ended = await this.run(person, ...args);
    const cleared = this.proxy.clear();
    if (cleared.happened) this.#keepWrong(args, fault, n, ended);
    return { ...ended, ...cleared };
  }

  #keepWrong(
    args: readonly string[],
    { sqlstate, as }: Fault,
    n: number,
    shown: Parameters<typeof findWrong>[0],
  ): void {
    for (const one of findWrong(shown)) this.wrong.push(`${args.join(' ')} (${sqlstate} ${as} at ${n}): ${one}`);
  }

  #expectIsDone(args: readonly string[], { code, out, err }: Pick<RanCommand, 'code' | 'out' | 'err'>): void {
    const text = DONE.includes(code) ? '' : out + err;
    expect({ args, code, text }).toEqual({ args, code: expect.toBeOneOf([...DONE]), text: '' });
  }

  /** One class after the other, and one fault of a class after the other. */
  #nextFault(): Fault {
    const faults = classes[this.#turns % classes.length] ?? [];
    const fault = faults[Math.floor(this.#turns / classes.length) % faults.length];
    this.#turns += 1;
    return fault ?? NEVER;
  }

  /** Another share of its statements at every turn. */
  #choosePosition(n: number, attempts: number, statements: number): number {
    return 1 + Math.floor(((n + (this.#turns % 7) / 7) / attempts) * statements);
  }
}
