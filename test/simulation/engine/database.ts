// A database in memory: committed states that never change, transactions at READ COMMITTED, locks that end with their
// transaction, and what an operator of servers can do to it. Knows nothing of what the states mean.
import type { Process } from './process.js';

/** An error as node-postgres throws it. */
export function raise(code: string, constraint?: string): Error {
  const described = { code, severity: 'ERROR', ...(constraint && { constraint, routine: 'exec_stmt_raise' }) };
  return Object.assign(new Error(constraint ?? code), described);
}

const lost = (): Error => Object.assign(new Error('Connection terminated'), { code: 'ECONNRESET' });
const unreachable = (): Error => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

/** How often a transaction looks again before its lock time-out is over. */
const LOOKS = 3;

export class Transaction<S extends object> {
  readonly locks = new Set<string>();
  readonly writes: ((state: S) => void)[] = [];
  isOver = false;
  #base: S;
  #view: S;

  constructor(
    readonly db: Database<S>,
    readonly process: Process,
  ) {
    this.#base = db.state;
    this.#view = db.state;
  }

  /** What this transaction sees now: what is committed, and what it has written itself. */
  get now(): S {
    if (this.isOver) throw lost();
    if (this.#base !== this.db.state) this.#view = this.#rebase();
    return this.#view;
  }

  /** The same change is made again on what is committed at the end. */
  write(change: (state: S) => void): void {
    const next = { ...this.now };
    change(next);
    this.writes.push(change);
    this.#view = next;
  }

  /** SQL reaches it only from a function of a store that the model lacks. */
  raw(sql: string): never {
    throw new TypeError(`the model has no statement for: ${sql.slice(0, 200)}`);
  }

  #rebase(): S {
    this.#base = this.db.state;
    if (this.writes.length === 0) return this.#base;
    const next = { ...this.#base };
    for (const change of this.writes) change(next);
    return next;
  }

  /** Takes a lock as soon as nobody has one that it conflicts with; throws 55P03 when that takes too long. */
  async lock(name: string, mode: 'shared' | 'exclusive'): Promise<void> {
    for (let look = 0; !this.tryLock(name, mode); look += 1) {
      if (look === LOOKS) {
        this.db.onCount('lock time-outs');
        throw raise('55P03');
      }
      await this.process.turn(`wait for ${name} of ${this.db.name}`);
      if (this.isOver) throw lost();
    }
  }

  tryLock(name: string, mode: 'shared' | 'exclusive'): boolean {
    for (const other of this.db.open)
      if (other !== this && (other.locks.has(`${name} exclusive`) || (mode === 'exclusive' && other.has(name))))
        return false;
    this.locks.add(`${name} ${mode}`);
    return true;
  }

  has(name: string): boolean {
    return this.locks.has(`${name} shared`) || this.locks.has(`${name} exclusive`);
  }

  end(how: 'commit' | 'rollback'): void {
    if (this.isOver) return;
    const next = this.now;
    this.isOver = true;
    this.db.open.delete(this);
    if (how === 'commit' && this.writes.length > 0) this.db.commit(next, this);
  }
}

/** What a test is told of each commit. */
export type Committed<S extends object> = (before: S, after: S, by: Transaction<S>) => void;

export class Database<S extends object> {
  readonly open = new Set<Transaction<S>>();
  /** Every committed state of this line of history, the newest last. */
  history: S[];
  /** A failover begins another one. */
  timeline = 1;
  /** Counts starts of its server. */
  server = 1;
  /** Its clock minus the true time, in ms. */
  skewMs = 0;
  onCommit: Committed<S> = () => undefined;
  /** What a test is told of what came about. */
  onCount: (what: string) => void = () => undefined;

  constructor(
    readonly name: string,
    readonly clock: { nowMs: number },
    public state: S,
    history: readonly S[] = [],
  ) {
    this.history = history.at(-1) === state ? [...history] : [...history, state];
  }

  get now(): Date {
    return new Date(this.clock.nowMs + this.skewMs);
  }

  commit(next: S, by: Transaction<S>): void {
    const before = this.state;
    this.state = next;
    this.history.push(next);
    this.onCommit(before, next, by);
  }

  /** `slow`: something can happen between its last statement and its commit. */
  async inTransaction<T>(
    process: Process,
    pace: 'quick' | 'slow',
    work: (tx: Transaction<S>) => Promise<T>,
  ): Promise<T> {
    await process.turn(`begin on ${this.name}`);
    if (process.cutOff.has(this.name)) {
      this.onCount('databases out of reach');
      throw unreachable();
    }
    const tx = new Transaction(this, process);
    this.open.add(tx);
    let result: T;
    try {
      result = await work(tx);
      if (pace === 'slow') await process.turn(`commit on ${this.name}`);
      if (tx.isOver || process.cutOff.has(this.name)) throw lost();
    } catch (error) {
      tx.end('rollback');
      throw error;
    }
    tx.end('commit');
    if (!process.losesAnswer) return result;
    process.losesAnswer = false;
    this.onCount('answers lost');
    throw lost();
  }

  /** What the server does when a client is gone: it had sent its commit, or not. */
  endTransactionsOf(process: Process, how: 'commit' | 'rollback'): void {
    for (const tx of this.open) if (tx.process === process) this.#endFor(tx, how);
  }

  #endFor(tx: Transaction<S>, how: 'commit' | 'rollback'): void {
    tx.end(how);
    this.onCount(how === 'commit' ? 'commits of the dead' : 'transactions broken off');
  }

  restart(): void {
    this.server += 1;
    for (const tx of this.open) this.#endFor(tx, 'rollback');
  }

  /** A standby is promoted that lacks the newest commits. */
  failOver(lostCommits: number): void {
    this.restart();
    this.timeline += 1;
    this.#goBack(lostCommits);
  }

  /** An older copy is put back in its place; `recovered` from an archive, which begins another timeline. */
  restore(lostCommits: number, how: 'copied' | 'recovered'): void {
    this.restart();
    if (how === 'recovered') this.timeline += 1;
    this.#goBack(lostCommits);
  }

  #goBack(commits: number): void {
    const kept = Math.max(1, this.history.length - commits);
    for (let lost = this.history.length - kept; lost > 0; lost -= 1) this.onCount('commits lost');
    this.history = this.history.slice(0, kept);
    this.state = this.history[kept - 1] ?? this.state;
  }
}
