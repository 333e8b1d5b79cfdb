// A process of the simulation: real code of the engine that stops before each of its transactions, until the schedule
// lets it go on. One that was killed never goes on.

/** Of one round: more than any takes. */
const MOST_STOPS = 400;

export type Stops = number | 'poll' | 'commit';

export class Process {
  /** Transactions that it may still begin or end without asking. */
  budget = 0;
  /** It stops where it looks for work again, or already before a slow commit, whatever is left. */
  until: 'poll' | 'commit' | null = null;
  /** Stops so far. */
  passed = 0;
  /** The next commit is done, and its answer is lost. */
  losesAnswer = false;
  /** Databases that it does not reach. */
  readonly cutOff = new Set<string>();
  isKilled = false;
  /** Suspended for so many happenings; what it was about to do then comes late. */
  asleep = 0;
  /** Server and epoch of each cell's fence when it began to look at its work. */
  seen: ReadonlyMap<string, { readonly server: number; readonly epoch: bigint }> = new Map();
  /** What it is about to do. */
  at = 'start';
  /** Several, where it does several things at once. */
  readonly #stops: (() => void)[] = [];

  constructor(
    readonly name: string,
    readonly kind: 'scheduler' | 'worker' | 'person' | 'product',
  ) {}

  get waits(): boolean {
    return this.#stops.length > 0 && !this.isKilled && this.asleep === 0;
  }

  /** Resolves when the schedule lets it go on. Whoever sleeps lets others go first. */
  turn(at: string): Promise<void> {
    this.at = at;
    this.passed += 1;
    const ends = at === 'sleep' || (this.until !== null && (at === 'poll' || at.startsWith(this.until)));
    if (this.budget > 0 && !this.isKilled && !ends) {
      this.budget -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#stops.push(resolve);
    });
  }

  /** Lets it pass so many stops, or those before the next of a kind. */
  go(stops: Stops): void {
    if (this.isKilled) return;
    this.until = typeof stops === 'number' ? null : stops;
    this.#pass(typeof stops === 'number' ? stops : MOST_STOPS);
  }

  #pass(stops: number): void {
    this.budget = stops;
    while (this.budget > 0) {
      const resume = this.#stops.shift();
      if (resume === undefined) return;
      this.budget -= 1;
      resume();
    }
  }

  kill(): void {
    this.isKilled = true;
    this.#stops.length = 0;
  }
}
